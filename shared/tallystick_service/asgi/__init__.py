"""ASGI middleware and small endpoints that both services use."""

from tallystick_service.asgi.body_limit import BodyLimit
from tallystick_service.asgi.forwarded_headers import ForwardedHeaders
from tallystick_service.asgi.head import Head
from tallystick_service.asgi.metrics_endpoint import MetricsEndpoint
from tallystick_service.asgi.request_id import RequestId
from tallystick_service.asgi.security_headers import SecurityHeaders
from tallystick_service.asgi.server_errors import ServerErrors

__all__ = [
    "BodyLimit",
    "ForwardedHeaders",
    "Head",
    "MetricsEndpoint",
    "RequestId",
    "SecurityHeaders",
    "ServerErrors",
]
