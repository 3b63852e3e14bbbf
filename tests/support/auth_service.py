"""The real auth service over ASGI, on a database that is migrated and filled as at the first start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

import httpx
from fastapi import FastAPI

from auth_service.configuration.configuration_file import apply
from auth_service.main import create_app
from auth_service.settings.settings import Settings
from tallystick_service.store import Store
from tests.support.clock import MovableClock
from tests.support.declared import declared_settings
from tests.support.patience import patient_store
from tests.support.relying_party import Browser, RelyingParty

ADDRESS = "192.0.2.1"


@dataclass
class AuthService:
    app: FastAPI
    settings: Settings
    clock: MovableClock
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    @cached_property
    def store(self) -> Store:
        """A second store on the same database, as another process would have it. It opens when it is first used."""
        return patient_store(self.settings.database_url)

    def http(self, address: str = ADDRESS) -> httpx.AsyncClient:
        """A caller with the IP address `address` that keeps cookies."""
        # An exception in the app becomes status 500, as for a real caller, and the test fails by the status.
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 50_000))
        client = httpx.AsyncClient(transport=transport, base_url=self.settings.issuer)
        self.clients.append(client)
        return client

    def browser(self, address: str = ADDRESS) -> Browser:
        return Browser(self.http(address), self.settings.issuer)

    def relying_party(self, client_id: str = "app-one", browser: Browser | None = None) -> RelyingParty:
        """A client, and the browser of its user."""
        declared = next(client for client in self.settings.client if client.client_id == client_id)
        return RelyingParty(declared, self.http(), browser or self.browser())

    async def look_again(self) -> None:
        """Clients and APIs are cached for a second. A request to /readyz makes the service read them again."""
        assert (await self.http().get("/readyz")).status_code == 200


@asynccontextmanager
async def running_auth_service(
    database_url: str,
    clock: MovableClock | None = None,
    outgoing_transport: httpx.AsyncBaseTransport | None = None,
    **settings: object,
) -> AsyncIterator[AuthService]:
    """Run the app during the block. `settings` replace single valid settings."""
    declared, clock = declared_settings(database_url, **settings), clock or MovableClock()
    app = create_app(declared, clock, outgoing_transport)
    service = AuthService(app, declared, clock)
    try:
        if settings:
            # The template declares more than some tests do.
            await apply(service.store, declared, clock, allow_disable=True)
        async with app.router.lifespan_context(app):
            yield service
            await asyncio.gather(*(client.aclose() for client in service.clients))
    finally:
        if "store" in vars(service):
            await service.store.close()
