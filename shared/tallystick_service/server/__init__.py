"""An HTTP server with one or several worker processes, and JSON log lines."""

from tallystick_service.server.application import Application
from tallystick_service.server.limits import ServerLimits
from tallystick_service.server.options import ServeOptions
from tallystick_service.server.serve import serve, serve_configured

__all__ = ["Application", "ServeOptions", "ServerLimits", "serve", "serve_configured"]
