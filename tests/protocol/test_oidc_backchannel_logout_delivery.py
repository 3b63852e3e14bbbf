"""Back-Channel Logout §2.5 to §2.8: the delivery of logout tokens, retries, restarts and several processes."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection

from auth_service.outgoing import requests
from auth_service.store.logout import logout_deliveries
from auth_service.store.users import users
from auth_service.vocabulary.timing import LOGOUT_DELIVERY_LEASE
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import EMAIL
from tests.support.logout_deliveries import (
    DAY,
    log_out,
    queue,
    until_all_are_done,
    until_next_attempt_is,
    wake,
)
from tests.support.logout_receivers import HOSTS, LogoutReceivers, listening_clients, never
from tests.support.postgres import PostgreSQL
from tests.support.relying_party import RelyingParty, claims_of
from tests.support.waiting import until

pytestmark = pytest.mark.postgresql

ONE, TWO, _ = HOSTS


@pytest.fixture
def receivers() -> LogoutReceivers:
    return LogoutReceivers()


@pytest.fixture
async def auth(auth_database_url: str, clock: MovableClock, receivers: LogoutReceivers) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_database_url, clock, receivers, client=listening_clients()) as running:
        yield running


# Retries


async def test_a_failed_delivery_is_retried_with_growing_pauses(
    auth: AuthService,
    rp: RelyingParty,
    receivers: LogoutReceivers,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receivers.answers[ONE] = 500
    await log_out(rp)
    for attempt, wait in enumerate((1, 5, 30, 120, 600, 3600, 3600), start=1):
        await receivers.told(ONE, attempt)
        await until_next_attempt_is(auth, clock() + wait)
        clock.advance(seconds=wait)
        wake(auth)
    receivers.answers[ONE] = 200
    clock.advance(seconds=3600)
    wake(auth)
    await until_all_are_done(auth)
    claims = [claims_of(token) for token in receivers.tokens(ONE)]
    assert len({claim["jti"] for claim in claims}) == len(claims)  # each attempt has a new token
    assert claims[-1]["exp"] > clock()
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.getMessage() == "client app-one takes no logout token for now: status 500"
    assert not any(token in caplog.text for token in receivers.tokens(ONE))


@pytest.mark.parametrize("status", [301, 307, 408, 425, 429, 500, 503])
async def test_a_temporary_failure_is_retried(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock, status: int
) -> None:
    receivers.answers[ONE] = status
    await log_out(rp)
    await until_next_attempt_is(auth, clock() + 1)
    assert len(receivers.requests[ONE]) == 1


async def test_an_attempt_without_a_response_is_cancelled_and_retried(
    auth: AuthService,
    rp: RelyingParty,
    receivers: LogoutReceivers,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(requests, "REQUEST_TIMEOUT", 0.2)
    receivers.answers[ONE] = never
    await log_out(rp)
    await until_next_attempt_is(auth, clock() + 1)
    assert receivers.now_at[ONE] == 0
    assert (
        "client app-one takes no logout token for now: https://app-one.example.org: no complete answer" in caplog.text
    )


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_a_refused_token_is_not_retried(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    receivers.answers[ONE] = status
    await log_out(rp)
    await receivers.told(ONE)
    await until_all_are_done(auth)
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.getMessage() == f"client app-one refused a logout token with status {status}"


async def test_a_delivery_is_given_up_after_a_day(
    auth: AuthService,
    rp: RelyingParty,
    receivers: LogoutReceivers,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receivers.answers[ONE] = 503
    await log_out(rp)
    await until_next_attempt_is(auth, clock() + 1)
    clock.advance(seconds=DAY)
    wake(auth)
    await until_all_are_done(auth)
    assert len(receivers.requests[ONE]) == 1
    await until(lambda: "gave up 1 logout tokens for client app-one" in caplog.text)  # logged after the commit


async def test_the_last_attempt_is_not_postponed_beyond_the_day(
    auth: AuthService, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    receivers.answers[ONE] = 503
    began = clock()
    await auth.store.write(queue, "app-one", 1, now=began - DAY + 8)
    wake(auth)
    await until_next_attempt_is(auth, began + 1)
    clock.advance(seconds=5)
    wake(auth)
    await until_next_attempt_is(auth, began + 8)
    clock.advance(seconds=3)
    wake(auth)
    await until_all_are_done(auth)
    assert len(receivers.requests[ONE]) == 2


# Processes


async def test_a_restart_loses_no_delivery(
    auth_database_url: str, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    """An attempt under way at the stop is cancelled, and the next process sends the token."""
    receivers.answers[ONE] = never
    async with running_auth_service(auth_database_url, clock, receivers, client=listening_clients()) as first:
        sid = await log_out(first.relying_party("app-one"))
        await receivers.told(ONE)
    assert receivers.now_at[ONE] == 0
    later = LogoutReceivers()
    async with running_auth_service(auth_database_url, clock, later) as second:
        assert [claims["sid"] for claims in await later.told(ONE)] == [sid]
        await until_all_are_done(second)


async def test_a_delivery_of_a_killed_process_is_taken_over_after_its_lease(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    sid = claims_of((await rp.tokens())["id_token"])["sid"]
    sub = await auth.store.read(users.find_sub, EMAIL)

    def taken_by_another(connection: Connection) -> None:
        users.sign_out_user(connection, str(sub), now=clock())
        assert logout_deliveries.take_due_deliveries(connection, {"app-one": 2}, now=clock())

    await auth.store.write(taken_by_another)
    clock.advance(seconds=LOGOUT_DELIVERY_LEASE - 1)
    wake(auth)
    await asyncio.sleep(0.2)
    assert not receivers.requests
    clock.advance(seconds=1)
    wake(auth)
    assert [claims["sid"] for claims in await receivers.told(ONE)] == [sid]


async def test_many_processes_send_each_token_once(
    auth: AuthService, auth_database_url: str, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    async with running_auth_service(auth_database_url, clock, receivers) as second:
        await auth.store.write(queue, "app-one", 60, now=clock())
        await auth.store.write(queue, "app-two", 60, now=clock())
        wake(auth)
        wake(second)
        await until_all_are_done(auth)
    for host in (ONE, TWO):
        assert Counter(receivers.sids(host)) == {f"sid-{n}": 1 for n in range(60)}


async def test_the_task_stops_when_it_is_woken_at_the_same_moment(auth: AuthService) -> None:
    delivery = auth.app.state.provider.logout_delivery
    async with asyncio.timeout(20):
        for _ in range(5):
            async with delivery.running():
                await asyncio.sleep(0.05)
                delivery.wake()


# The store


async def test_deliveries_continue_after_the_store_was_unavailable(
    auth_postgresql_url: str, postgresql: PostgreSQL, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    receivers.answers[ONE] = 503
    async with running_auth_service(auth_postgresql_url, clock, receivers, client=listening_clients()) as auth:
        await log_out(auth.relying_party("app-one"))
        await until_next_attempt_is(auth, clock() + 1)
        postgresql.stop()
        try:
            receivers.answers[ONE] = 204
            clock.advance(seconds=60)
            wake(auth)
            await asyncio.sleep(2)
            assert len(receivers.requests[ONE]) == 1
        finally:
            postgresql.start()
        await receivers.told(ONE, 2)
        await until_all_are_done(auth)
