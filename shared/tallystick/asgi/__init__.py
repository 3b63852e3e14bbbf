"""What stands in front of both services: small ASGI classes, each with its options flattened once."""

from tallystick.asgi.body_limit import BodyLimit
from tallystick.asgi.forwarded_headers import ForwardedHeaders
from tallystick.asgi.head import Head
from tallystick.asgi.metrics_endpoint import MetricsEndpoint
from tallystick.asgi.request_id import RequestId
from tallystick.asgi.security_headers import SecurityHeaders
from tallystick.asgi.server_errors import ServerErrors

__all__ = [
    "BodyLimit",
    "ForwardedHeaders",
    "Head",
    "MetricsEndpoint",
    "RequestId",
    "SecurityHeaders",
    "ServerErrors",
]
