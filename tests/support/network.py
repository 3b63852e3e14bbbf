"""Several apps that reach one another by host name, without a socket."""

from collections.abc import Mapping

import httpx
from starlette.types import ASGIApp


class Network(httpx.AsyncBaseTransport):
    """Sends each request to the app that `apps` names for its origin, such as `https://id.example.com`."""

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._transports = {origin: httpx.ASGITransport(app) for origin, app in apps.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        if origin not in self._transports:
            raise httpx.ConnectError(f"nobody is at {origin}")
        return await self._transports[origin].handle_async_request(request)
