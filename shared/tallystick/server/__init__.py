"""What a service needs to be a program: settings from a file and the environment, log lines, and a careful server."""

from tallystick.server.misconfigured import Misconfigured, exit_on_misconfiguration
from tallystick.server.secrets import resolve_secret
from tallystick.server.serve import serve
from tallystick.server.settings import read_settings
from tallystick.server.terminal import printable

__all__ = ["Misconfigured", "exit_on_misconfiguration", "printable", "read_settings", "resolve_secret", "serve"]
