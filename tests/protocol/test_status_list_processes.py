"""Several processes on one store publish one sequence of status lists, and never share an index."""

import asyncio

import pytest

from tests.support.auth_service import running_auth_service
from tests.support.clock import MovableClock
from tests.support.relying_party import claims_of
from tests.support.status_lists import access_token, fetch, look, next_list, own_token, reference_of

pytestmark = pytest.mark.postgresql


async def test_two_processes_serve_the_same_bytes(auth_database_url: str, clock: MovableClock) -> None:
    async with (
        running_auth_service(auth_database_url, clock) as here,
        running_auth_service(auth_database_url, clock) as there,
    ):
        rp = here.relying_party("app-one")
        token = await access_token(rp)
        await rp.revoke(token)
        clock.advance(seconds=1)
        await asyncio.gather(look(here), look(there))
        await asyncio.gather(look(here), look(there))
        one, other = await here.http().get("/status-lists/1"), await there.http().get("/status-lists/1")
        assert one.content == other.content
        assert (await fetch(there)).is_revoked(token)


async def test_two_processes_never_use_the_same_index(auth_database_url: str, clock: MovableClock) -> None:
    async with (
        running_auth_service(auth_database_url, clock) as here,
        running_auth_service(auth_database_url, clock) as there,
    ):
        parties = [auth.relying_party("app-one") for auth in (here, there)]
        indexes = [reference_of(await access_token(rp))["idx"] for rp in parties for _ in range(10)]
        assert len(set(indexes)) == 20


async def test_a_clock_that_was_set_back_dates_no_token_before_the_last_one(auth_database_url: str) -> None:
    clock = MovableClock()
    async with running_auth_service(auth_database_url, clock) as auth:
        clock.advance(seconds=7)
        tokens = await auth.relying_party("app-one").tokens()
    clock.now -= 3600
    async with running_auth_service(auth_database_url, clock) as auth:
        refreshed = (await auth.relying_party("app-one").refresh(tokens["refresh_token"])).json()
        assert claims_of(refreshed["access_token"])["iat"] >= claims_of(tokens["access_token"])["iat"]


async def test_a_clock_that_was_set_back_dates_no_token_before_the_newest_list(auth_database_url: str) -> None:
    clock = MovableClock()
    async with running_auth_service(auth_database_url, clock) as auth:
        clock.advance(seconds=100)
        newest = (await next_list(auth)).claims["iat"]
    clock.now -= 3600
    async with running_auth_service(auth_database_url, clock) as auth:
        token = await own_token(auth.relying_party("bot"))
        assert claims_of(token)["iat"] >= newest - 1
        clock.now = newest + 50
        assert claims_of(await own_token(auth.relying_party("bot")))["iat"] == newest + 50
