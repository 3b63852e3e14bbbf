"""What only PostgreSQL does: deadlocks, failed transactions, and a server that goes away and comes back."""

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
flocks = Table(
    "flocks", metadata, Column("name", String, primary_key=True), Column("size", Integer, nullable=False, default=0)
)


@pytest.fixture
async def store(postgresql_url: str) -> AsyncIterator[Store]:
    store = Store.open(postgresql_url, deadline=10)
    await store.write(metadata.create_all)
    yield store
    await store.close()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A server of one's own, to stop and start; each test leaves it running."""
    folder = Path(tempfile.mkdtemp(prefix="tallystick-"))
    folder.chmod(0o755)
    server = PostgreSQL(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


def add(connection: Connection, name: str) -> str:
    connection.execute(insert(flocks).values(name=name))
    return name


def names(connection: Connection) -> set[str]:
    return set(connection.scalars(select(flocks.c.name)))


def grow(connection: Connection, name: str) -> None:
    connection.execute(update(flocks).where(flocks.c.name == name).values(size=flocks.c.size + 1))


async def test_units_that_deadlock_are_tried_again_until_all_are_through(store: Store) -> None:
    await store.write(add, "a")
    await store.write(add, "b")

    def grow_both(connection: Connection, first: str, second: str) -> None:
        connection.exec_driver_sql("SET LOCAL deadlock_timeout = '20ms'")
        grow(connection, first)
        connection.execute(text("SELECT pg_sleep(0.01)"))
        grow(connection, second)

    await asyncio.gather(*(store.write(grow_both, *order) for order in (("a", "b"), ("b", "a")) for _ in range(4)))
    assert await store.read(lambda connection: connection.scalars(select(flocks.c.size)).all()) == [8, 8]


async def test_a_unit_that_cannot_be_serialized_is_tried_again(store: Store) -> None:
    await store.write(add, "a")

    def read_then_write(connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        size = connection.execute(select(flocks.c.size)).scalar_one()
        connection.execute(update(flocks).values(size=size + 1))

    await asyncio.gather(*(store.write(read_then_write) for _ in range(6)))
    assert await store.read(lambda connection: connection.scalar(select(flocks.c.size))) == 6


async def test_a_unit_cannot_overlook_that_its_transaction_failed(store: Store) -> None:
    """PostgreSQL would answer the COMMIT with a silent ROLLBACK, and the caller would believe in it."""

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


async def test_a_statement_that_takes_too_long_ends_on_the_server_too(postgresql_url: str) -> None:
    store = Store.open(postgresql_url, deadline=0.3, pool_size=1)
    with pytest.raises(StoreUnavailable):
        await store.write(lambda connection: connection.execute(text("SELECT pg_sleep(60)")).all())
    for _ in range(50):  # its one connection is free again, long before the minute is over
        try:
            assert await store.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
            break
        except StoreUnavailable:
            continue
    else:
        pytest.fail("the connection stayed busy")
    await store.close()


async def test_connections_that_died_while_idle_cost_no_request(store: Store) -> None:
    def kill_the_others(connection: Connection) -> int:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return len(connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}")).all())

    await asyncio.gather(*(store.write(add, str(number)) for number in range(30)))
    assert await store.write(kill_the_others) > 0
    outcomes = await asyncio.gather(*(store.write(add, str(number)) for number in range(30, 60)))
    assert await store.read(names) == {*map(str, range(30)), *outcomes}


async def test_a_unit_whose_old_connection_dies_under_it_runs_again(store: Store, postgresql_url: str) -> None:
    """Nothing of it can have been committed, so to run it once more is right."""
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


async def test_a_server_that_is_away_is_unavailable_and_back_without_a_restart_of_ours(server: PostgreSQL) -> None:
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


async def test_a_server_that_does_not_answer_is_unavailable_within_the_deadline(server: PostgreSQL) -> None:
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


async def test_the_loop_goes_on_while_the_store_waits(store: Store) -> None:
    ticks = 0
    sleeping = asyncio.create_task(
        store.read(lambda connection: connection.execute(text("SELECT pg_sleep(0.3)")).all())
    )
    while not sleeping.done():
        ticks += 1
        await asyncio.sleep(0.001)
    assert ticks > 1


async def test_a_password_that_is_wrong_is_unavailable(postgresql: PostgreSQL) -> None:
    store = patient_store(postgresql.url("no_such_database"))
    with pytest.raises(StoreUnavailable):
        await store.read(names)
    await store.close()


async def test_units_in_different_threads_run_beside_each_other(store: Store) -> None:
    both = threading.Barrier(2)
    await asyncio.gather(*(store.write(lambda _connection: both.wait(5)) for _ in range(2)))
