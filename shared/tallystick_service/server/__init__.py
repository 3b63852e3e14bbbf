"""An HTTP server with one or several worker processes, and JSON log lines."""

from tallystick_service.server.limits import ServerLimits
from tallystick_service.server.serve import serve

__all__ = ["ServerLimits", "serve"]
