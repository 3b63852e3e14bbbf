"""The address of the caller."""

from starlette.requests import Request


def peer_address(request: Request) -> str:
    """The IP address as text, with trusted proxies already taken into account; "" if there is none (a Unix socket)."""
    return request.client.host if request.client else ""
