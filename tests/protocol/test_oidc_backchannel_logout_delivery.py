"""Back-Channel Logout §2.5 to §2.8: logout tokens arrive at once or later, once if they can, and hold nobody up."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select

from auth_service.store import logout_deliveries, users
from auth_service.store import tables as t
from auth_service.store.logout_deliveries import LEASE
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import EMAIL
from tests.support.logout_receivers import HOSTS, LogoutReceivers, listening_clients, never
from tests.support.postgres import PostgreSQL
from tests.support.relying_party import RelyingParty, claims_of
from tests.support.waiting import until

ONE, TWO, _ = HOSTS
DAY = 86_400


@pytest.fixture
def receivers() -> LogoutReceivers:
    return LogoutReceivers()


@pytest.fixture
async def auth(auth_database_url: str, clock: MovableClock, receivers: LogoutReceivers) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_database_url, clock, receivers, client=listening_clients()) as running:
        yield running


async def log_out(rp: RelyingParty) -> str:
    """Sign in to the client and out again; the `sid` that has ended."""
    id_token = (await rp.tokens())["id_token"]
    assert "You are signed out" in (await rp.browser.open(f"/logout?id_token_hint={id_token}")).text
    return str(claims_of(id_token)["sid"])


def rows(connection: Connection) -> list[Any]:
    return list(connection.execute(select(t.logout_deliveries)))


async def until_rows(auth: AuthService, condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition(await auth.store.read(rows)):
            await asyncio.sleep(0.01)


def wake(auth: AuthService) -> None:
    """As if this process had ended a login session."""
    auth.app.state.provider.logout_delivery.wake()


def queue(connection: Connection, client_id: str, how_many: int, *, now: int) -> None:
    """Login sessions have ended somewhere, and this client is still to be told."""
    row = {"client_id": client_id, "sub": "sub", "ended_at": now, "attempts": 0, "attempt_at": now}
    connection.execute(
        insert(t.logout_deliveries),
        [
            row | {"delivery_id": f"{client_id} {n}".encode(), "sid": f"sid-{n}", "give_up_at": now + DAY}
            for n in range(how_many)
        ],
    )


def add_clients(connection: Connection, names: list[str], origin: str) -> None:
    like = connection.execute(select(t.clients).where(t.clients.c.client_id == "app-one")).one()._asdict()
    for name in names:
        metadata = like["metadata"] | {"backchannel_logout_uri": f"https://{name}.example.org/"}
        changes = {"client_id": name, "origin": origin, "metadata": metadata}
        connection.execute(insert(t.clients).values(like | changes))


# Trying again


async def test_what_fails_is_tried_again_after_longer_and_longer(
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
        await until_rows(auth, lambda waiting, at=clock() + wait: [row.attempt_at for row in waiting] == [at])
        clock.advance(seconds=wait)
        wake(auth)
    receivers.answers[ONE] = 200
    clock.advance(seconds=3600)
    wake(auth)
    await until_rows(auth, lambda waiting: not waiting)
    claims = [claims_of(token) for token in receivers.tokens(ONE)]
    assert len({claim["jti"] for claim in claims}) == len(claims)  # made anew each time
    assert claims[-1]["exp"] > clock()
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.getMessage() == "client app-one takes no logout token for now: status 500"
    assert not any(token in caplog.text for token in receivers.tokens(ONE))


@pytest.mark.parametrize("status", [301, 307, 408, 425, 429, 500, 503])
async def test_not_now_is_not_never(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock, status: int
) -> None:
    receivers.answers[ONE] = status
    await log_out(rp)
    await until_rows(auth, lambda waiting: [row.attempt_at for row in waiting] == [clock() + 1])
    assert len(receivers.requests[ONE]) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_a_refusal_is_for_good(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    receivers.answers[ONE] = status
    await log_out(rp)
    await receivers.told(ONE)
    await until_rows(auth, lambda waiting: not waiting)
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.getMessage() == f"client app-one refused a logout token with status {status}"


async def test_after_a_day_it_is_given_up(
    auth: AuthService,
    rp: RelyingParty,
    receivers: LogoutReceivers,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receivers.answers[ONE] = 503
    await log_out(rp)
    await until_rows(auth, lambda waiting: [row.attempt_at for row in waiting] == [clock() + 1])
    clock.advance(seconds=DAY)
    wake(auth)
    await until_rows(auth, lambda waiting: not waiting)
    assert len(receivers.requests[ONE]) == 1
    assert "gave up 1 logout tokens for client app-one" in caplog.text


async def test_the_last_attempt_is_never_put_off_beyond_the_day(
    auth: AuthService, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    receivers.answers[ONE] = 503
    began = clock()
    await auth.store.write(queue, "app-one", 1, now=began - DAY + 8)
    wake(auth)
    await until_rows(auth, lambda waiting: [row.attempt_at for row in waiting] == [began + 1])
    clock.advance(seconds=5)
    wake(auth)
    await until_rows(auth, lambda waiting: [row.attempt_at for row in waiting] == [began + 8])
    clock.advance(seconds=3)
    wake(auth)
    await until_rows(auth, lambda waiting: not waiting)
    assert len(receivers.requests[ONE]) == 2


# Processes


async def test_a_restart_loses_nothing(auth_database_url: str, receivers: LogoutReceivers, clock: MovableClock) -> None:
    """What hangs at the stop is broken off, and sent by whoever comes next."""
    receivers.answers[ONE] = never
    async with running_auth_service(auth_database_url, clock, receivers, client=listening_clients()) as first:
        sid = await log_out(first.relying_party("app-one"))
        await receivers.told(ONE)
    assert receivers.now_at[ONE] == 0
    later = LogoutReceivers()
    async with running_auth_service(auth_database_url, clock, later) as second:
        assert [claims["sid"] for claims in await later.told(ONE)] == [sid]
        await until_rows(second, lambda waiting: not waiting)


async def test_what_a_killed_process_was_at_is_tried_again(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    sid = claims_of((await rp.tokens())["id_token"])["sid"]
    sub = await auth.store.read(users.find_sub, EMAIL)

    def taken_by_another(connection: Connection) -> None:
        users.sign_out(connection, str(sub), now=clock())
        assert logout_deliveries.take_due(connection, {"app-one": 2}, now=clock())

    await auth.store.write(taken_by_another)
    clock.advance(seconds=LEASE - 1)
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
        await until_rows(auth, lambda waiting: not waiting)
    for host in (ONE, TWO):
        assert Counter(receivers.sids(host)) == {f"sid-{n}": 1 for n in range(60)}


async def test_it_stops_though_it_is_woken_in_that_instant(auth: AuthService) -> None:
    delivery = auth.app.state.provider.logout_delivery
    async with asyncio.timeout(20):
        for _ in range(5):
            async with delivery.running():
                await asyncio.sleep(0.05)
                delivery.wake()


# Who holds up whom


async def test_a_client_that_hangs_holds_up_neither_the_person_nor_the_others(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers
) -> None:
    receivers.answers[ONE] = never
    await auth.relying_party("app-two", rp.browser).tokens()
    await log_out(rp)
    await receivers.told(TWO)
    await receivers.told(ONE)
    assert receivers.now_at[ONE] == 1


async def test_ten_thousand_for_a_dead_client_do_not_delay_one_for_another(
    auth: AuthService, rp: RelyingParty, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    receivers.answers[ONE] = never
    await auth.store.write(queue, "app-one", 10_000, now=clock() - 60)
    wake(auth)
    await receivers.told(ONE, 2)
    begun = asyncio.get_running_loop().time()
    await log_out(auth.relying_party("app-two"))
    await receivers.told(TWO)
    assert asyncio.get_running_loop().time() - begun < 5
    assert receivers.most_at[ONE] == 2


async def test_a_client_that_fails_is_asked_once_a_second_and_has_all_when_it_is_back(
    auth: AuthService, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    receivers.answers[ONE] = 503
    await auth.store.write(queue, "app-one", 100, now=clock())
    wake(auth)
    await receivers.told(ONE, 2)
    for asked in (3, 4, 5):
        wake(auth)
        await asyncio.sleep(0.1)
        assert len(receivers.requests[ONE]) == asked - 1
        clock.advance(seconds=1)
        wake(auth)
        await receivers.told(ONE, asked)
    receivers.answers[ONE] = 200
    clock.advance(seconds=60)
    wake(auth)
    await until_rows(auth, lambda waiting: not waiting)


async def test_clients_that_registered_themselves_never_take_all_places(
    auth: AuthService, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    strangers = [f"stranger-{n}" for n in range(40)]
    await auth.store.write(add_clients, strangers, "registration")
    for name in strangers:
        receivers.answers[f"{name}.example.org"] = never
        await auth.store.write(queue, name, 5, now=clock() - 60)
    wake(auth)
    await until(lambda: receivers.now_at.total() == 12)
    await log_out(auth.relying_party("app-one"))
    await receivers.told(ONE)
    assert receivers.now_at.total() == 12


async def test_clients_that_fail_never_take_all_places(
    auth: AuthService, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    dead = [f"dead-{n}" for n in range(20)]
    await auth.store.write(add_clients, dead, "file")
    for name in dead:
        receivers.answers[f"{name}.example.org"] = 503
        await auth.store.write(queue, name, 5, now=clock() - 60)
    wake(auth)
    await until(lambda: all(receivers.requests[f"{name}.example.org"] for name in dead))
    for name in dead:
        receivers.answers[f"{name}.example.org"] = never
    await asyncio.sleep(0.1)
    clock.advance(seconds=2)
    wake(auth)
    await until(lambda: receivers.now_at.total() == 6)
    await log_out(auth.relying_party("app-one"))
    await receivers.told(ONE)
    assert receivers.now_at.total() == 6


# The store


async def test_while_the_store_is_away_it_waits_and_then_goes_on_by_itself(
    auth_postgresql_url: str, postgresql: PostgreSQL, receivers: LogoutReceivers, clock: MovableClock
) -> None:
    receivers.answers[ONE] = 503
    async with running_auth_service(auth_postgresql_url, clock, receivers, client=listening_clients()) as auth:
        await log_out(auth.relying_party("app-one"))
        await until_rows(auth, lambda waiting: [row.attempt_at for row in waiting] == [clock() + 1])
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
        await until_rows(auth, lambda waiting: not waiting)


async def test_a_look_costs_the_same_however_much_waits(auth: AuthService, clock: MovableClock) -> None:
    """Each client's queue is found by its index."""

    def plan(connection: Connection) -> str:
        explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
        compiled = logout_deliveries._WAITING.compile(connection, compile_kwargs={"literal_binds": True})
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE logout_deliveries")
        return "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain}{compiled}"))

    await auth.store.write(add_clients, ["dead"], "file")
    await auth.store.write(
        lambda connection: queue(connection, "dead", 5000, now=clock() + DAY)  # not due
    )
    assert "ix_logout_deliveries_client_id_attempt_at" in await auth.store.write(plan)
    assert (
        await auth.store.read(
            lambda connection: connection.execute(select(func.count()).select_from(t.logout_deliveries)).scalar_one()
        )
    ) == 5000
