"""Rules for PostgreSQL only: deadlocks, failed transactions, and a server that stops and starts again."""

import asyncio
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from tallystick_service.store import Store, StoreUnavailable
from tests.support.patience import patient_store
from tests.support.postgres import PostgreSQL

metadata = MetaData()
counters = Table(
    "counters", metadata, Column("name", String, primary_key=True), Column("value", Integer, nullable=False, default=0)
)


@pytest.fixture
async def store(postgresql_url: str) -> AsyncIterator[Store]:
    store = Store.open(postgresql_url, deadline=10)
    await store.write(metadata.create_all)
    yield store
    await store.close()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A server for this module, to stop and start. Each test leaves it running."""
    folder = Path(tempfile.mkdtemp(prefix="tallystick-"))
    folder.chmod(0o755)
    server = PostgreSQL(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


def add(connection: Connection, name: str) -> str:
    connection.execute(insert(counters).values(name=name))
    return name


def names(connection: Connection) -> set[str]:
    return set(connection.scalars(select(counters.c.name)))


def grow(connection: Connection, name: str) -> None:
    connection.execute(update(counters).where(counters.c.name == name).values(value=counters.c.value + 1))


async def test_units_that_deadlock_are_retried_until_all_succeed(store: Store) -> None:
    await store.write(add, "a")
    await store.write(add, "b")

    def grow_both(connection: Connection, first: str, second: str) -> None:
        connection.exec_driver_sql("SET LOCAL deadlock_timeout = '20ms'")
        grow(connection, first)
        connection.execute(text("SELECT pg_sleep(0.01)"))
        grow(connection, second)

    await asyncio.gather(*(store.write(grow_both, *order) for order in (("a", "b"), ("b", "a")) for _ in range(4)))
    assert await store.read(lambda connection: connection.scalars(select(counters.c.value)).all()) == [8, 8]


async def test_a_unit_with_a_serialization_failure_is_retried(store: Store) -> None:
    await store.write(add, "a")

    def read_then_write(connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        value = connection.execute(select(counters.c.value)).scalar_one()
        connection.execute(update(counters).values(value=value + 1))

    await asyncio.gather(*(store.write(read_then_write) for _ in range(6)))
    assert await store.read(lambda connection: connection.scalar(select(counters.c.value))) == 6


async def test_a_unit_that_ignores_a_failed_statement_raises(store: Store) -> None:
    """PostgreSQL turns the COMMIT into a ROLLBACK without an error, and the caller would rely on the write."""

    def add_twice(connection: Connection) -> str:
        try:
            add(connection, "a")
            add(connection, "a")
        except IntegrityError:
            return "it was there"
        return "added"

    with pytest.raises(RuntimeError, match="begin_nested"):
        await store.write(add_twice)
    assert await store.read(names) == set()


async def test_a_statement_that_takes_too_long_is_cancelled_on_the_server(postgresql_url: str) -> None:
    store = Store.open(postgresql_url, deadline=0.3, pool_size=1)
    with pytest.raises(StoreUnavailable):
        await store.write(lambda connection: connection.execute(text("SELECT pg_sleep(60)")).all())
    for _ in range(50):  # its only connection is free again long before the minute is over
        try:
            assert await store.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
            break
        except StoreUnavailable:
            continue
    else:
        pytest.fail("the connection stayed busy")
    await store.close()


async def test_connections_that_were_lost_while_idle_fail_no_unit(store: Store) -> None:
    def kill_the_others(connection: Connection) -> int:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return len(connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}")).all())

    await asyncio.gather(*(store.write(add, str(number)) for number in range(30)))
    assert await store.write(kill_the_others) > 0
    outcomes = await asyncio.gather(*(store.write(add, str(number)) for number in range(30, 60)))
    assert await store.read(names) == {*map(str, range(30)), *outcomes}


async def test_a_unit_that_loses_a_kept_connection_is_run_again(store: Store, postgresql_url: str) -> None:
    """Nothing of it can have been committed, so running it again is safe."""
    narrow = Store.open(postgresql_url, deadline=10, pool_size=1)
    runs = 0

    def die_once(connection: Connection) -> int:
        nonlocal runs
        runs += 1
        add(connection, f"run {runs}")
        if runs == 1:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return runs

    await narrow.write(add, "first")
    assert await narrow.write(die_once) == 2
    assert await store.read(names) == {"first", "run 2"}
    await narrow.close()


async def test_a_stopped_server_is_unavailable_and_is_used_again_after_its_start(server: PostgreSQL) -> None:
    store = patient_store(server.url("postgres"))
    await store.write(metadata.create_all)
    await store.write(add, "before")
    server.stop()
    try:
        outcomes = await asyncio.gather(
            store.write(add, "lost"), *(store.read(names) for _ in range(20)), return_exceptions=True
        )
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    finally:
        server.start()
    await store.write(add, "after")
    assert await store.read(names) == {"before", "after"}
    await store.close()


async def test_a_server_that_does_not_respond_is_unavailable_after_the_deadline(server: PostgreSQL) -> None:
    store = Store.open(server.url("postgres"), deadline=0.3, pool_size=2)
    pids: list[int] = []

    def remember(connection: Connection) -> None:
        pids.append(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        connection.execute(text("SELECT pg_sleep(0.05)"))

    await asyncio.gather(store.write(remember), store.write(remember), store.write(remember), store.write(remember))
    for pid in set(pids):
        os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            outcomes = await asyncio.gather(*(store.read(names) for _ in range(8)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    finally:
        for pid in set(pids):
            os.kill(pid, signal.SIGCONT)
    await store.close()


async def test_the_event_loop_is_not_blocked_by_the_store(store: Store) -> None:
    ticks = 0
    sleeping = asyncio.create_task(
        store.read(lambda connection: connection.execute(text("SELECT pg_sleep(0.3)")).all())
    )
    while not sleeping.done():
        ticks += 1
        await asyncio.sleep(0.001)
    assert ticks > 1


async def test_a_wrong_password_is_unavailable(postgresql: PostgreSQL) -> None:
    store = patient_store(postgresql.url("no_such_database"))
    with pytest.raises(StoreUnavailable):
        await store.read(names)
    await store.close()


async def test_units_run_concurrently_in_several_threads(store: Store) -> None:
    both = threading.Barrier(2)
    await asyncio.gather(*(store.write(lambda _connection: both.wait(5)) for _ in range(2)))
