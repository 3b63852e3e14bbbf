"""The maximum number of clients, and the deletion of unused clients for new ones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from auth_service.registration.service import KEEP_UNUSED
from auth_service.store.clients import clients
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.registration import GOOD, new_client, op, register, relying_party
from tests.support.relying_party import error_of

__all__ = ["op"]

pytestmark = pytest.mark.postgresql


@asynccontextmanager
async def auth_service_for(max_clients: int, url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    registration = {"mode": "open", "max_clients": max_clients}
    async with running_auth_service(url, clock, registration=registration) as running:
        yield running


async def test_registration_is_refused_when_max_clients_are_used(auth_sqlite_url: str, clock: MovableClock) -> None:
    async with auth_service_for(2, auth_sqlite_url, clock) as op:
        for _ in range(2):
            await relying_party(op, await new_client(op)).tokens(scope="openid")
        response = await register(op)
        assert error_of(response) == (503, "temporarily_unavailable")
        assert int(response.headers["retry-after"]) > 0


async def test_a_client_registers_and_signs_in_during_a_flood_from_many_sites(
    auth_database_url: str, clock: MovableClock
) -> None:
    async with auth_service_for(30, auth_database_url, clock) as op:
        attackers = [op.http(f"203.0.113.{site}") for site in range(5)]

        async def attack() -> None:
            for _ in range(10):
                for http in attackers:
                    assert (await http.post("/register", json=GOOD)).status_code == 201
                clock.advance(seconds=1)

        await attack()
        information = (await op.http("198.51.100.7").post("/register", json=GOOD)).json()
        await attack()
        rp = relying_party(op, information)
        tokens = await rp.tokens(scope="openid")
        await attack()
        await op.look_again()
        assert (await rp.userinfo(tokens["access_token"])).status_code == 200
        assert 'id="sign-in"' in (await relying_party(op, information).authorize(scope="openid")).text
        rows = [row for row in await op.store.read(clients.list_clients) if row.origin == clients.REGISTRATION]
        assert len(rows) == 30


async def test_the_oldest_unused_client_of_the_largest_site_is_deleted_for_a_new_one(
    auth_database_url: str, clock: MovableClock
) -> None:
    async with auth_service_for(4, auth_database_url, clock) as op:
        registered: dict[str, list[str]] = {}

        async def add(site: str) -> None:
            clock.advance(seconds=1)
            response = await op.http(site).post("/register", json=GOOD)
            registered.setdefault(site, []).append(response.json()["client_id"])

        async def exists(site: str) -> list[bool]:
            found = [await op.store.read(clients.find_client, client_id) for client_id in registered[site]]
            return [client is not None for client in found]

        large, small, own = "203.0.113.1", "2001:db8:1::1", "2001:db8:2::1"
        for site in (small, large, large, large):
            await add(site)
        await add(own)
        assert await exists(large) == [False, True, True]
        await add("2001:db8:2:ffff::9")  # the same /48
        assert await exists(large) == [False, False, True]
        await add(own)  # its site has the most clients now
        assert await exists(own) == [False, True]
        assert await exists(small) == [True]


async def test_a_client_that_is_never_used_is_deleted_after_a_day(op: AuthService, clock: MovableClock) -> None:
    unused, used = await new_client(op), await new_client(op)
    rp = relying_party(op, used)
    await rp.tokens(scope="openid")
    clock.advance(seconds=KEEP_UNUSED)
    await new_client(op)
    await op.look_again()
    assert (await relying_party(op, unused).authorize(scope="openid")).status_code == 400
    assert 'id="sign-in"' in (await rp.authorize(scope="openid")).text


async def test_registrations_from_one_address_are_limited(op: AuthService, clock: MovableClock) -> None:
    http, elsewhere = op.http(), op.http("198.51.100.7")
    for _ in range(200):
        assert (await http.post("/register", json=GOOD)).status_code == 201
    refused = await http.post("/register", json=GOOD)
    assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
    assert 0 < int(refused.headers["retry-after"]) <= 20
    assert (await elsewhere.post("/register", json=GOOD)).status_code == 201
    clock.advance(seconds=int(refused.headers["retry-after"]))
    assert (await http.post("/register", json=GOOD)).status_code == 201


async def test_registrations_from_one_ipv6_site_are_limited(op: AuthService) -> None:
    """A site is a /48, which has 65,536 networks of /64."""
    for network in range(200):
        assert (await op.http(f"2001:db8:1:{network:x}::1").post("/register", json=GOOD)).status_code == 201
    assert (await op.http("2001:db8:1:ffff::1").post("/register", json=GOOD)).status_code == 429
    assert (await op.http("2001:db8:2::1").post("/register", json=GOOD)).status_code == 201


async def test_a_refused_request_does_not_count(op: AuthService) -> None:
    http = op.http()
    for _ in range(201):
        assert (await http.post("/register", json=GOOD | {"redirect_uris": []})).status_code == 400
    assert (await http.post("/register", json=GOOD)).status_code == 201


async def test_a_disabled_client_does_not_count(auth_sqlite_url: str, clock: MovableClock) -> None:
    async with auth_service_for(1, auth_sqlite_url, clock) as op:
        information = await new_client(op)
        await relying_party(op, information).tokens(scope="openid")
        assert (await register(op)).status_code == 503
        await op.store.write(clients.disable_client, information["client_id"], by="command", now=clock.now)
        assert (await register(op)).status_code == 201
