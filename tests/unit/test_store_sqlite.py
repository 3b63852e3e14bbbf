"""Rules for SQLite only: group commits, a full disk, and a file that another process has locked."""

import asyncio
import multiprocessing
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, Table, func, insert, select
from sqlalchemy.dialects import sqlite

from tallystick_service.store import Store, StoreUnavailable
from tallystick_service.store.sqlite import BUSY_TIMEOUT, MAX_GROUP_UNITS
from tests.support.patience import patient_store
from tests.support.waiting import until

T = TypeVar("T")

metadata = MetaData()
blobs = Table(
    "blobs", metadata, Column("id", Integer, primary_key=True), Column("content", LargeBinary, nullable=False)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    store = Store.open(f"sqlite:///{path}", deadline=10)
    await store.write(metadata.create_all)
    yield store
    await store.close()


def add(connection: Connection, size: int = 10) -> int:
    number: int = connection.execute(insert(blobs).values(content=b"w" * size).returning(blobs.c.id)).scalar_one()
    return number


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(blobs)).scalar_one()


async def test_only_the_owner_can_read_the_database_and_its_log(store: Store, path: Path) -> None:
    await store.write(add)
    files = list(path.parent.iterdir())
    assert {file.name for file in files} >= {"store.db", "store.db-wal"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_the_writer_closes_last_so_that_one_file_remains(path: Path) -> None:
    """Of connections that close concurrently, none might checkpoint the log."""
    store = Store.open(f"sqlite:///{path}", deadline=10)
    await store.write(metadata.create_all)
    is_read, may_end = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        is_read.set()
        may_end.wait(10)

    reading = asyncio.create_task(store.read(hold))
    await asyncio.to_thread(is_read.wait)
    closing = asyncio.create_task(store.close())
    await until(lambda: store._reads._is_closed)
    await store.write(add)
    may_end.set()
    await asyncio.gather(reading, closing)
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


async def test_each_commit_is_synchronous(store: Store) -> None:
    def pragmas(connection: Connection) -> list[object]:
        return [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    full = 2
    assert await store.write(pragmas) == ["wal", full, 1, BUSY_TIMEOUT * 1000]


async def test_waiting_units_are_committed_in_groups_of_bounded_size(path: Path) -> None:
    store = Store.open(f"sqlite:///{path}", deadline=10, max_group_seconds=60)  # only the number ends a group
    await store.write(metadata.create_all)
    begun, release = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        begun.set()
        release.wait(5)

    def add_and_count_from_outside(connection: Connection) -> int:
        add(connection)
        with sqlite3.connect(path) as outside:
            return int(outside.execute("SELECT count(*) FROM blobs").fetchone()[0])

    holding = asyncio.create_task(store.write(hold))
    await asyncio.to_thread(begun.wait, 5)
    counts = await _with_release(release, [store.write(add_and_count_from_outside) for _ in range(80)])
    await holding
    await store.close()
    first = MAX_GROUP_UNITS - 1  # one place belongs to `hold`
    assert counts == [0] * first + [first] * (80 - first)


async def test_a_unit_without_disk_space_does_not_fail_others(store: Store) -> None:
    await store.write(add)
    await store.write(_leave_room_for_pages, 20)
    outcomes = await asyncio.gather(
        store.write(add), store.write(add, 1_000_000), store.write(add), return_exceptions=True
    )
    assert isinstance(outcomes[1], StoreUnavailable)
    kept = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert await store.read(count) == 1 + len(kept)


async def test_a_write_that_finds_the_disk_full_is_not_acknowledged(tmp_path: Path) -> None:
    """A limit on the file size simulates a full disk: the write fails inside SQLite, in the middle of a group."""
    outcome = _run(FILL_THE_DISK, tmp_path)
    acknowledged, kept, refused, after = map(int, outcome.split())
    assert refused > 0
    assert kept == acknowledged
    assert after == 1  # with space again, the same store works


def test_an_acknowledged_write_survives_a_kill(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITE_FOREVER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline() for _ in range(200)]
    writer.kill()
    acknowledged += writer.stdout.readlines()
    writer.wait(10)
    writer.stdout.close()
    with sqlite3.connect(tmp_path / "store.db") as reader:
        kept = {number for (number,) in reader.execute("SELECT id FROM blobs")}
    assert {int(line) for line in acknowledged if line.endswith("\n")} <= kept


async def test_several_processes_on_one_file_lose_no_write(store: Store, path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    others = [spawn.Process(target=add_some, args=(str(path), 40)) for _ in range(3)]
    for other in others:
        other.start()
    await asyncio.gather(*(store.write(add) for _ in range(40)))
    for other in others:
        await asyncio.to_thread(other.join, 60)
        assert other.exitcode == 0
    assert await store.read(count) == 160


async def test_a_file_that_is_locked_too_long_is_unavailable_until_it_is_released(store: Store, path: Path) -> None:
    impatient = Store.open(f"sqlite:///{path}", deadline=0.2)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await impatient.write(add)
        assert await store.read(count) == 0  # readers do not wait for writers
        other.execute("COMMIT")
    await store.write(add)
    await impatient.close()
    assert await store.read(count) == 1


async def test_check_writing_writes_only_after_a_failed_write(store: Store, path: Path) -> None:
    impatient = Store.open(f"sqlite:///{path}", deadline=0.2)
    await impatient.check_writing()  # no write has failed, so it does not write; its table does not exist
    await store.write(
        lambda connection: connection.exec_driver_sql("CREATE TABLE alembic_version (version_num)").close()
    )
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        await impatient.check_writing()
        with pytest.raises(StoreUnavailable):
            await impatient.write(add)
        with pytest.raises(StoreUnavailable):
            await impatient.check_writing()
        assert await impatient.read(count) == 0
        other.execute("COMMIT")
    await store.write(add)
    await impatient.check_writing()
    await impatient.close()


async def test_a_database_that_cannot_be_opened_is_unavailable_until_it_can_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "place").write_text("a file where a folder should be")
    store = patient_store(f"sqlite:///{tmp_path}/place/store.db")
    for attempt in (store.read(count), store.write(add), store.read(count)):
        with pytest.raises(StoreUnavailable):
            await attempt
    assert len(caplog.records) == 1  # the same reason is logged once
    (tmp_path / "place").unlink()
    await store.write(metadata.create_all)
    assert await store.write(add) == 1
    await store.close()


def move(path: Path, folder: Path) -> None:
    """The database file with its log files."""
    folder.mkdir(exist_ok=True)
    for file in path.parent.glob(f"{path.name}*"):
        file.rename(folder / file.name)


async def test_a_write_to_a_file_that_was_moved_away_is_not_acknowledged(store: Store, path: Path) -> None:
    aside = path.parent / "aside"
    await store.write(add)
    await store.read(count)
    move(path, aside)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await store.write(add)
        with pytest.raises(StoreUnavailable):
            await store.read(count)
    assert list(path.parent.iterdir()) == [aside]  # and no new file is created
    move(aside / path.name, path.parent)
    assert await store.write(add) == 2
    assert await store.read(count) == 2


async def test_a_file_that_replaced_the_database_is_used(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """This happens when a backup is restored: a running service must see what commands write to the restored file."""
    await store.write(add)
    backup = path.with_name("backup.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", [str(backup)])
    await store.write(add)
    move(path, path.parent / "aside")
    backup.rename(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as command:
        command.execute("INSERT INTO blobs VALUES (7, 'w')")
    assert await store.write(add) == 8
    assert await asyncio.gather(*(store.read(count) for _ in range(20))) == [3] * 20
    assert [record.getMessage() for record in caplog.records] == [f"the database file {path} was replaced"]


async def test_a_write_during_which_the_file_is_moved_away_is_not_acknowledged(store: Store, path: Path) -> None:
    def add_and_lose(connection: Connection) -> None:
        add(connection)
        move(path, path.parent / "aside")

    with pytest.raises(StoreUnavailable, match="moved away"):
        await store.write(add_and_lose)


async def test_a_file_that_is_not_a_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"no database " * 1000)
    store = patient_store(f"sqlite:///{tmp_path}/store.db")
    with pytest.raises(StoreUnavailable):
        await store.write(add)
    with pytest.raises(StoreUnavailable):
        await store.read(count)
    await store.close()


async def test_a_unit_that_ends_the_transaction_affects_no_later_unit(store: Store) -> None:
    def end_it(connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")

    with pytest.raises(StoreUnavailable):
        await store.write(end_it)
    await store.write(add)
    assert await store.read(count) == 1


def test_a_share_lock_is_not_rendered_for_sqlite() -> None:
    locking = select(blobs.c.id).with_for_update(read=True)
    assert "FOR" not in str(locking.compile(dialect=sqlite.dialect()))


async def _with_release(release: threading.Event, writes: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Release the writer when all of `writes` wait."""
    tasks = [asyncio.create_task(write) for write in writes]
    await asyncio.sleep(0)
    release.set()
    return await asyncio.gather(*tasks)


def add_some(path: str, number: int) -> None:
    async def add_all() -> None:
        store = Store.open(f"sqlite:///{path}", deadline=30)
        await asyncio.gather(*(store.write(add) for _ in range(number)))
        await store.close()

    asyncio.run(add_all())


def _leave_room_for_pages(connection: Connection, pages: int) -> None:
    used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    connection.exec_driver_sql(f"PRAGMA max_page_count = {used + pages}")


def _run(program: str, folder: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)], check=True, capture_output=True, text=True, timeout=60
    ).stdout


_PROGRAM = """
import asyncio, resource, sys
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, func, insert, select
from tallystick_service.store import Store, StoreUnavailable

metadata = MetaData()
columns = Column("id", Integer, primary_key=True), Column("content", LargeBinary, nullable=False)
blobs = Table("blobs", metadata, *columns)

def add(connection, size):
    return connection.execute(insert(blobs).values(content=b"w" * size).returning(blobs.c.id)).scalar_one()

def count(connection):
    return connection.execute(select(func.count()).select_from(blobs)).scalar_one()
"""

WRITE_FOREVER = (
    _PROGRAM
    + """
async def main():
    store = Store.open(f"sqlite:///{sys.argv[1]}/store.db", deadline=30)
    await store.write(metadata.create_all)
    async def write():
        while True:
            print(await store.write(add, 100), flush=True)
    await asyncio.gather(*(write() for _ in range(8)))
asyncio.run(main())
"""
)

FILL_THE_DISK = (
    _PROGRAM
    + """
async def main():
    store = Store.open(f"sqlite:///{sys.argv[1]}/store.db", deadline=30)
    await store.write(metadata.create_all)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    acknowledged = refused = 0
    for _ in range(20):
        for outcome in await asyncio.gather(*(store.write(add, 5000) for _ in range(20)), return_exceptions=True):
            if isinstance(outcome, int):
                acknowledged += 1
            elif isinstance(outcome, StoreUnavailable):
                refused += 1
            else:
                raise outcome
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    kept = await store.read(count)
    after = await store.write(add, 5000) and await store.read(count) - kept
    print(acknowledged, kept, refused, after)
    await store.close()
asyncio.run(main())
"""
)
