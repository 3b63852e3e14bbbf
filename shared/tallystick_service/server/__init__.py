"""An HTTP server of several worker processes, and its log lines."""

from tallystick_service.server.serve import serve

__all__ = ["serve"]
