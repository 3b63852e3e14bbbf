"""Settings from a file and the environment, secrets, and errors that stop the start of a service."""

from tallystick_service.settings.misconfigured import Misconfigured, exit_on_misconfiguration
from tallystick_service.settings.secrets import resolve_secret
from tallystick_service.settings.settings import read_settings
from tallystick_service.settings.terminal import printable

__all__ = ["Misconfigured", "exit_on_misconfiguration", "printable", "read_settings", "resolve_secret"]
