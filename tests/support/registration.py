"""Clients that register themselves at a running auth service (RFC 7591)."""

from typing import Any

import httpx
import pytest

from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.relying_party import RelyingParty

CALLBACK = "https://new.example.org/callback"
GOOD: dict[str, Any] = {"client_name": "A new app", "redirect_uris": [CALLBACK]}


@pytest.fixture
async def op(auth_database_url: str, clock: MovableClock) -> Any:
    """An auth service with open registration."""
    async with running_auth_service(auth_database_url, clock, registration={"mode": "open"}) as running:
        yield running


async def register(op: AuthService, **changes: Any) -> httpx.Response:
    """Send a valid request with `changes`."""
    return await op.http().post("/register", json=GOOD | changes)


async def new_client(op: AuthService, **changes: Any) -> dict[str, Any]:
    """The client information response of a successful registration."""
    response = await register(op, **changes)
    assert response.status_code == 201, response.text
    information: dict[str, Any] = response.json()
    return information


def relying_party(op: AuthService, information: dict[str, Any]) -> RelyingParty:
    """The registered client, with a browser of its own."""
    rp = op.relying_party("app-one")
    rp.client_id = information["client_id"]
    rp.client_secret = information.get("client_secret")
    rp.method = information["token_endpoint_auth_method"]
    rp.redirect_uri = information["redirect_uris"][0]
    return rp
