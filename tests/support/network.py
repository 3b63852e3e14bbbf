"""Several apps that reach one another by host name, without a socket."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from starlette.types import ASGIApp

from resource_service.main import create_app
from resource_service.settings import Settings
from tallystick_service.store.migrations import migrate
from tests.support.auth_service import AuthService
from tests.support.declared import ISSUER, NOTES


class Network(httpx.AsyncBaseTransport):
    """Sends each request to the app that `apps` names for its origin, such as `https://id.example.com`."""

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._transports = {origin: httpx.ASGITransport(app) for origin, app in apps.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        if origin not in self._transports:
            raise httpx.ConnectError(f"no server is at {origin}")
        return await self._transports[origin].handle_async_request(request)


class OnLoop(httpx.AsyncBaseTransport):
    """Sends requests of other event loops through `transport`, on the loop where it was made.

    `tallystick.client` requests tokens on an event loop of its own, and the apps under test belong to the test's loop.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._send(request), self._loop))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())


@asynccontextmanager
async def both_services(auth: AuthService, folder: Path) -> AsyncIterator[Network]:
    """`auth`, and a notes API with its database in `folder`. The API finds the issuer's keys through its metadata.

    It fetches documents when a request needs them. Its background task for fetches does not run.
    """
    database_url = f"sqlite:///{folder}/notes.db"
    migrate(database_url, "resource_service.migrations")
    settings = Settings(audience=NOTES, issuer=ISSUER, database_url=database_url)
    app = create_app(settings, auth.clock, Network({ISSUER: auth.app}))
    async with app.router.lifespan_context(app):
        yield Network({ISSUER: auth.app, NOTES: app})
