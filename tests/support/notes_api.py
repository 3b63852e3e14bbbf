"""The real notes API over ASGI, with a simulated issuer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from fastapi import FastAPI

from resource_service.main import create_app
from resource_service.settings import Settings
from tests.support.clock import MovableClock
from tests.support.migrated import NOTES, sqlite_with_tables
from tests.support.patience import PATIENCE
from tests.support.token_issuer import AUDIENCE, ISSUER, TokenIssuer

READ_AND_WRITE = "notes:read notes:write"
APP_ORIGIN = "https://app.example.com"


@dataclass
class NotesApi:
    app: FastAPI
    issuer: TokenIssuer
    clock: MovableClock
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def anyone(self, **headers: str) -> httpx.AsyncClient:
        """A caller that sends these headers. Without an Authorization header it sends no token."""
        # An exception in the app becomes status 500, as for a real caller, and the test fails by the status.
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url=AUDIENCE, headers=headers)
        self.clients.append(client)
        return client

    def caller(self, sub: str = "ada", scope: str = READ_AND_WRITE, **claims: object) -> httpx.AsyncClient:
        """A caller with a valid token."""
        return self.bearer(self.issuer.access_token(sub=sub, scope=scope, **claims))

    def bearer(self, token: str) -> httpx.AsyncClient:
        return self.anyone(Authorization=f"Bearer {token}")


@asynccontextmanager
async def running_notes_api(database_url: str, **settings: object) -> AsyncIterator[NotesApi]:
    """Run the app during the block. The file of a SQLite database may be missing, and a PostgreSQL database has tables.

    `settings` replace single valid settings.
    """
    if database_url.startswith("sqlite:///"):
        sqlite_with_tables(Path(database_url.removeprefix("sqlite:///")), NOTES)
    clock = MovableClock()
    issuer = TokenIssuer(clock)
    good: dict[str, object] = {
        "audience": AUDIENCE,
        "issuer": ISSUER,
        "database_url": database_url,
        "database_timeout": PATIENCE,
        "allowed_origins": [APP_ORIGIN],
        "docs_client_id": "notes-docs",
    }
    app = create_app(Settings.model_validate(good | settings), clock, issuer.transport)
    async with app.router.lifespan_context(app):
        api = NotesApi(app, issuer, clock)
        yield api
        for client in api.clients:
            await client.aclose()
