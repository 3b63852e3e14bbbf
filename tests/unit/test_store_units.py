"""The rules for units of work, the same on both databases."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from tallystick.errors import InvalidGrant
from tallystick_service.store import Store, StoreUnavailable, Unstorable, advisory_lock, lock_parent, prune
from tests.support.patience import PATIENCE

metadata = MetaData()
items = Table(
    "items",
    metadata,
    Column("name", String, primary_key=True),
    Column("amount", BigInteger, nullable=False, server_default="0"),
)
labels = Table("labels", metadata, Column("of", ForeignKey("items.name", ondelete="CASCADE"), primary_key=True))
marks = Table(
    "marks",
    metadata,
    Column("holder", LargeBinary, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store.open(database_url, deadline=PATIENCE)
    await store.write(metadata.create_all)
    yield store
    await store.close()


def add(connection: Connection, name: str, *, amount: int = 0) -> str:
    connection.execute(insert(items).values(name=name, amount=amount))
    return name


def names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(items.c.name).order_by(items.c.name)))


async def test_a_read_sees_every_write_that_has_returned(store: Store) -> None:
    assert await store.write(add, "first", amount=40) == "first"
    assert await store.read(names) == ["first"]


async def test_an_exception_reaches_the_caller_and_rolls_back_only_its_unit(store: Store) -> None:
    def add_and_refuse(connection: Connection, name: str) -> None:
        add(connection, name)
        raise InvalidGrant("not this one")

    outcomes = await asyncio.gather(
        store.write(add, "a"),
        store.write(add_and_refuse, "b"),
        store.write(add, "c"),
        store.write(add, "a"),
        store.write(add, "d"),
        return_exceptions=True,
    )
    # Of the two that add the same name, PostgreSQL may run either first.
    kinds = [type(outcome) for outcome in outcomes]
    assert [*kinds[1:3], kinds[4]] == [InvalidGrant, str, str]
    assert {kinds[0], kinds[3]} == {str, IntegrityError}
    assert await store.read(names) == ["a", "c", "d"]


async def test_a_refusal_that_is_returned_is_committed(store: Store) -> None:
    def delete_items(connection: Connection) -> InvalidGrant:
        connection.execute(delete(items))
        return InvalidGrant("a refusal")

    await store.write(add, "first")
    assert isinstance(await store.write(delete_items), InvalidGrant)
    assert await store.read(names) == []


async def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises(DBAPIError):
        await store.read(add, "first")
    assert await store.read(names) == []


async def test_a_read_sees_one_snapshot(store: Store) -> None:
    read_once, written = threading.Event(), threading.Event()

    def look_twice(connection: Connection) -> tuple[list[str], list[str]]:
        first = names(connection)
        read_once.set()
        written.wait(5)
        return first, names(connection)

    looking = asyncio.create_task(store.read(look_twice))
    await asyncio.to_thread(read_once.wait, 5)
    await store.write(add, "first")
    written.set()
    assert await looking == ([], [])


async def test_a_failed_statement_in_begin_nested_leaves_the_rest_of_the_unit(store: Store) -> None:
    def add_or_increment(connection: Connection, name: str) -> None:
        try:
            with connection.begin_nested():
                add(connection, name)
        except IntegrityError:
            connection.execute(update(items).where(items.c.name == name).values(amount=items.c.amount + 1))

    await store.write(add_or_increment, "first")
    await store.write(add_or_increment, "first")
    assert await store.read(lambda connection: connection.scalar(select(items.c.amount))) == 1


async def test_concurrent_increments_are_all_counted(store: Store) -> None:
    def increment(connection: Connection) -> None:
        amount = connection.execute(select(items.c.amount).with_for_update()).scalar_one()
        connection.execute(update(items).values(amount=amount + 1))

    await store.write(add, "first")
    await asyncio.gather(*(store.write(increment) for _ in range(100)))
    assert await store.read(lambda connection: connection.scalar(select(items.c.amount))) == 100


async def test_foreign_keys_are_enforced(store: Store) -> None:
    with pytest.raises(IntegrityError):
        await store.write(lambda connection: connection.execute(insert(labels).values(of="missing")).rowcount)


@pytest.mark.parametrize(
    ("name", "amount"), [("do\x00lly", 0), ("do\ud800lly", 0), ("first", 2**63), ("first", -(2**63) - 1)]
)
async def test_a_value_that_cannot_be_stored_is_an_invalid_request(store: Store, name: str, amount: int) -> None:
    with pytest.raises(Unstorable):
        await store.write(add, name, amount=amount)
    with pytest.raises(Unstorable):
        await store.read(lambda connection: connection.scalar(select(items).where(items.c.name == "do\x00lly")))
    assert await store.read(names) == []


async def test_a_unit_may_raise_any_exception(store: Store) -> None:
    def stop(_connection: Connection) -> None:
        raise StopIteration

    with pytest.raises(RuntimeError):
        await store.write(stop)
    with pytest.raises(SystemExit):
        await store.write(lambda _connection: exit())
    assert await store.write(add, "first") == "first"


async def test_a_unit_that_has_not_started_by_its_deadline_fails_and_never_runs(
    store: Store, database_url: str
) -> None:
    release = threading.Event()
    patient, store = store, Store.open(database_url, deadline=0.2, pool_size=1)
    busy = asyncio.create_task(store.write(lambda _connection: release.wait(5)))
    await asyncio.sleep(0)
    late = asyncio.create_task(store.write(add, "late"))
    cancelled = asyncio.create_task(store.write(add, "cancelled"))
    await asyncio.sleep(0.01)
    cancelled.cancel()
    with pytest.raises(StoreUnavailable) as refusal:
        await late
    assert refusal.value.retry_after > 0
    with pytest.raises(StoreUnavailable):
        await busy
    release.set()
    await store.close()
    assert await patient.read(names) == []


async def test_the_number_of_waiting_units_is_bounded(database_url: str) -> None:
    release = threading.Event()
    store = Store.open(database_url, queue_size=3, pool_size=1, deadline=PATIENCE)
    await store.write(metadata.create_all)
    begun = threading.Event()

    def hold(_connection: Connection) -> None:
        begun.set()
        release.wait(5)

    busy = asyncio.create_task(store.write(hold))
    await asyncio.to_thread(begun.wait, 5)
    waiting = [asyncio.create_task(store.write(add, name)) for name in "abc"]
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await store.write(add, "d")
    release.set()
    await asyncio.gather(busy, *waiting)
    assert await store.read(names) == ["a", "b", "c"]
    await store.close()


async def test_closing_runs_the_waiting_units_and_refuses_new_ones(database_url: str) -> None:
    store = Store.open(database_url, deadline=PATIENCE)
    await store.write(metadata.create_all)
    writes = [asyncio.create_task(store.write(add, str(number))) for number in range(100)]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*writes)) == 100
    with pytest.raises(StoreUnavailable):
        await store.read(names)


async def test_pruning_deletes_a_bounded_number_of_expired_rows_only(store: Store) -> None:
    def fill(connection: Connection) -> None:
        rows = [{"holder": b"h", "number": number, "expires_at": number} for number in range(20)]
        connection.execute(insert(marks), rows)

    await store.write(fill)
    assert await store.write(prune, marks.c.expires_at, now=9, limit=4) == 4
    assert await store.write(prune, marks.c.expires_at, now=9, limit=100) == 6
    assert await store.write(prune, marks.c.expires_at, now=9) == 0
    left = await store.read(lambda connection: connection.scalars(select(marks.c.number)).all())
    assert sorted(left) == list(range(10, 20))


async def test_a_child_is_not_inserted_after_its_parent_was_deleted(store: Store) -> None:
    """On PostgreSQL the two run concurrently, and without the lock the child would outlive its parent."""
    await store.write(add, "first")
    locked, deleting = threading.Event(), threading.Event()

    def add_label(connection: Connection) -> bool:
        if lock_parent(connection, select(items).where(items.c.name == "first")) is None:
            return False
        locked.set()
        deleting.wait(0.3)
        connection.execute(insert(labels).values(of="first"))
        return True

    def delete_items(connection: Connection) -> int:
        deleting.set()
        return connection.execute(delete(items)).rowcount

    adding = asyncio.create_task(store.write(add_label))
    await asyncio.to_thread(locked.wait, 5)
    assert await store.write(delete_items) == 1
    assert await adding
    assert await store.read(lambda connection: connection.scalars(select(labels.c.of)).all()) == []
    assert not await store.write(add_label)


async def test_units_with_the_same_advisory_lock_run_one_at_a_time(store: Store) -> None:
    at_once = most = 0

    def alone(connection: Connection) -> None:
        nonlocal at_once, most
        advisory_lock(connection, "migration")
        at_once += 1
        most = max(most, at_once)
        names(connection)
        at_once -= 1

    await asyncio.gather(*(store.write(alone) for _ in range(30)))
    assert most == 1


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "", "/var/auth.db"])
def test_the_url_of_another_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="database_url"):
        Store.open(url)


async def test_a_unit_runs_in_the_context_of_its_caller(store: Store) -> None:
    asked: ContextVar[str] = ContextVar("asked", default="")

    async def ask(name: str) -> list[str]:
        asked.set(name)
        return [await run(lambda _: asked.get()) for run in (store.read, store.write)]

    names = [str(number) for number in range(20)]
    assert await asyncio.gather(*map(ask, names)) == [[name, name] for name in names]
    assert await store.read(lambda _: asked.get()) == ""


async def test_a_unit_can_read_the_options_of_its_store(database_url: str) -> None:
    """And not those of another store on the same database."""
    stores = {days: Store.open(database_url, deadline=PATIENCE, options={"retention": days}) for days in (7, 8)}
    try:
        for days, store in stores.items():
            for run in (store.read, store.write):
                assert await run(lambda connection: connection.get_execution_options()["retention"]) == days
    finally:
        await asyncio.gather(*(store.close() for store in stores.values()))
