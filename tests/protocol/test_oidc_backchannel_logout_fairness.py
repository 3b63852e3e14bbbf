"""Back-Channel Logout §2.5: clients are notified concurrently, and a slow or failing client does not delay others."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, insert

from auth_service.store.logout import logout_deliveries
from auth_service.store.schema import tables as t
from auth_service.store.users import users
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.logout_deliveries import (
    DAY,
    add_clients,
    log_out,
    queue,
    until_all_are_done,
    until_rows,
    wake,
)
from tests.support.logout_receivers import HOSTS, LogoutReceivers, listening_clients, never
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


async def test_a_client_that_does_not_respond_delays_neither_the_sign_out_nor_other_clients(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    receivers.answers[ONE] = never
    await auth.relying_party("app-two", rp.browser).tokens()
    await log_out(rp)
    await receivers.told(TWO)
    await receivers.told(ONE)
    assert receivers.now_at[ONE] == 1


async def test_ten_thousand_deliveries_to_a_failing_client_do_not_delay_another_client(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    receivers.answers[ONE] = never
    await auth.store.write(queue, "app-one", 10_000, now=clock() - 60)
    wake(auth)
    await receivers.told(ONE, 2)
    await log_out(auth.relying_party("app-two"))
    await receivers.told(TWO)
    assert receivers.max_at[ONE] == 2


async def test_a_failing_client_gets_one_attempt_a_second_and_all_deliveries_when_it_works_again(
    auth: AuthService, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    receivers.answers[ONE] = 503
    await auth.store.write(queue, "app-one", 100, now=clock())
    wake(auth)
    await receivers.told(ONE, 2)
    for attempts in (3, 4, 5):
        wake(auth)
        await asyncio.sleep(0.1)
        assert len(receivers.requests[ONE]) == attempts - 1
        clock.advance(seconds=1)
        wake(auth)
        await receivers.told(ONE, attempts)
    receivers.answers[ONE] = 200
    clock.advance(seconds=60)
    wake(auth)
    await until_all_are_done(auth)


async def test_self_registered_clients_cannot_use_all_concurrent_attempts(
    auth: AuthService, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    names = [f"registered-{n}" for n in range(40)]
    await auth.store.write(add_clients, names, "registration")
    for name in names:
        receivers.answers[f"{name}.example.org"] = never
        await auth.store.write(queue, name, 5, now=clock() - 60)
    wake(auth)
    await until(lambda: receivers.now_at.total() == 12)
    await log_out(auth.relying_party("app-one"))
    await receivers.told(ONE)
    assert receivers.now_at.total() == 12


async def test_failing_clients_cannot_use_all_concurrent_attempts(
    auth: AuthService, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    failing = [f"failing-{n}" for n in range(20)]
    await auth.store.write(add_clients, failing, "file")
    for name in failing:
        receivers.answers[f"{name}.example.org"] = 503
        await auth.store.write(queue, name, 5, now=clock() - 60)
    wake(auth)
    await until(lambda: all(receivers.requests[f"{name}.example.org"] for name in failing))
    for name in failing:
        receivers.answers[f"{name}.example.org"] = never
    await until_rows(auth, lambda waiting: {row.client_id for row in waiting if row.attempts} >= set(failing))
    clock.advance(seconds=2)
    wake(auth)
    await until(lambda: receivers.now_at.total() == 6)
    await log_out(auth.relying_party("app-one"))
    await receivers.told(ONE)
    assert receivers.now_at.total() == 6


async def test_reading_the_queue_uses_the_index_and_does_not_scan_the_table(
    auth: AuthService, clock: MovableClock
) -> None:
    """So its cost does not grow with the number of deliveries."""

    def plan(connection: Connection) -> str:
        connection.exec_driver_sql("ANALYZE logout_deliveries")
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        statement = logout_deliveries._QUEUE.compile(connection)
        return "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {statement}"))

    await auth.store.write(add_clients, ["failing"], "file")
    await auth.store.write(queue, "failing", 5000, now=clock() + DAY)
    steps = [line for line in (await auth.store.write(plan)).splitlines() if "logout_deliveries" in line]
    assert steps
    assert all("ix_logout_deliveries_client_id_attempt_at" in line for line in steps), steps
    assert not [line for line in steps if "Seq Scan" in line]


async def test_a_user_with_more_than_a_thousand_sessions_is_signed_out_of_all(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    sub = claims_of((await rp.tokens())["id_token"])["sub"]

    def many(connection: Connection) -> None:
        row = {"sub": sub, "auth_time": 0, "last_seen_at": auth.clock(), "expires_at": auth.clock() + 3600}
        sids = [f"sid-{number}" for number in range(1200)]
        connection.execute(insert(t.login_sessions), [row | {"sid": sid, "cookie_hash": sid.encode()} for sid in sids])
        names = [{"sid": sid, "client_id": "app-one"} for sid in sids]
        connection.execute(insert(t.login_session_clients), names)

    await auth.store.write(many)
    receivers.answers[ONE] = 503
    await auth.store.write(users.sign_out_user, sub, now=auth.clock())
    await until_rows(auth, lambda waiting: len(waiting) == 1201)
