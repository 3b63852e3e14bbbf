"""X-Request-ID is passed from service to service, so that one id finds a request in the logs of all of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tallystick.client import ClientCredentials
from tallystick.request_id import own_request_id, send_request_id
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER, NOTES, secret_of
from tests.support.log_lines import LogLines, logging_as_served
from tests.support.logout_deliveries import log_out
from tests.support.logout_receivers import HOSTS, LogoutReceivers, listening_clients
from tests.support.network import Network, OnLoop, both_services
from tests.support.waiting import until_it_is


@pytest.fixture
def log() -> AsyncIterator[LogLines]:  # type: ignore[misc]
    with logging_as_served("DEBUG") as lines:
        yield lines


@pytest.fixture
async def auth(auth_sqlite_url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_sqlite_url, clock) as running:
        yield running


@pytest.fixture
async def network(auth: AuthService, tmp_path: Path) -> AsyncIterator[Network]:
    async with both_services(auth, tmp_path) as network:
        yield network


def endpoints_of(log: LogLines, name: str) -> list[str]:
    return [line["endpoint"] for line in log.parsed if line.get("request_id") == name and "endpoint" in line]


async def test_caller_can_send_one_id_to_both_services(network: Network, log: LogLines) -> None:
    auth = ClientCredentials(
        token_endpoint=f"{ISSUER}/token",
        client_id="bot",
        client_secret=secret_of("bot"),
        scope="notes:read",
        resource=NOTES,
        transport=OnLoop(network),
    )
    hooks = {"request": [send_request_id]}
    async with httpx.AsyncClient(transport=network, base_url=NOTES, auth=auth, event_hooks=hooks) as notes:
        with own_request_id() as name:
            response = await notes.get("/whoami")
    assert (response.status_code, response.headers["x-request-id"]) == (200, name)
    assert endpoints_of(log, name)[:1] == ["/token"]
    assert endpoints_of(log, name)[-1:] == ["/whoami"]


async def test_fetch_from_the_issuer_during_a_request_has_its_id(
    network: Network, auth: AuthService, log: LogLines
) -> None:
    token = (await auth.relying_party("bot").client_credentials(scope="notes:read")).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "from-the-proxy.1"}
    async with httpx.AsyncClient(transport=network, base_url=NOTES) as notes:
        assert (await notes.get("/whoami")).status_code == 401
        auth.clock.advance(seconds=10)
        unknown_kid = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6Im5vYm9keSJ9"
        headers["Authorization"] = f"Bearer {unknown_kid}.e30.{'A' * 86}"
        assert (await notes.get("/whoami", headers=headers)).status_code == 401
    assert endpoints_of(log, "from-the-proxy.1")[-2:] == ["/jwks", "/whoami"]


async def test_each_background_fetch_has_its_own_id(network: Network, log: LogLines) -> None:
    async with httpx.AsyncClient(transport=network, base_url=NOTES) as notes:

        async def is_ready() -> bool:
            return (await notes.get("/readyz")).status_code == 200

        await until_it_is(is_ready)
    rounds = {line["request_id"] for line in log.parsed if line.get("endpoint") == "/jwks"}
    served = {line["request_id"] for line in log.parsed if line.get("endpoint") == "/readyz"}
    assert rounds
    assert rounds.isdisjoint(served)


async def test_each_logout_token_is_sent_with_its_own_id(auth_sqlite_url: str, clock: MovableClock) -> None:
    receivers = LogoutReceivers()
    async with running_auth_service(auth_sqlite_url, clock, receivers, client=listening_clients("app-one")) as auth:
        await log_out(auth.relying_party("app-one"))
        await receivers.told(HOSTS[0])
    (request,) = receivers.requests[HOSTS[0]]
    name = request.headers["x-request-id"]
    assert len(name) == 32
