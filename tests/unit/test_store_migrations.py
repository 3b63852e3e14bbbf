"""A database is upgraded to the newest schema once, also by concurrent processes, or is left unchanged."""

import asyncio
import multiprocessing
import sqlite3
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from tallystick_service.store import Store, StoreUnavailable
from tallystick_service.store.migrations import migrate
from tests.support.forked import context
from tests.support.patience import PATIENCE
from tests.support.waiting import wait_until

FIRST = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

def upgrade():
    op.create_table("items", sa.Column("name", sa.String, primary_key=True))
    parent = sa.ForeignKey("items.name", ondelete="CASCADE")
    op.create_table("labels", sa.Column("of", sa.String, parent, primary_key=True))
    op.execute("INSERT INTO items VALUES ('first')")
    op.execute("INSERT INTO labels VALUES ('first')")
"""

SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

def upgrade():
    with op.batch_alter_table("items", recreate="auto") as items:
        items.add_column(sa.Column("amount", sa.BigInteger, nullable=False, server_default="40"))
"""

REBUILD = """
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

def upgrade():
    with op.batch_alter_table("items") as items:
        items.alter_column("amount", type_=sa.Integer)
"""

BROKEN = """
from alembic import op

revision = "0003"
down_revision = "0002"

def upgrade():
    op.execute("INSERT INTO items VALUES ('second', 1)")
    op.execute("INSERT INTO nowhere VALUES (1)")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable package with two migrations."""
    name = f"steps_{tmp_path.name.replace('-', '_')}"
    versions = tmp_path / name / "versions"
    versions.mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    (versions / "0001_first.py").write_text(FIRST)
    (versions / "0002_second.py").write_text(SECOND)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.fixture
def versions(package: str, tmp_path: Path) -> Path:
    return tmp_path / package / "versions"


def rows(database_url: str, query: str) -> list[tuple[object, ...]]:
    async def fetch() -> list[tuple[object, ...]]:
        store = Store.open(database_url, deadline=10)
        try:
            return await store.read(lambda connection: [tuple(row) for row in connection.execute(text(query))])
        finally:
            await store.close()

    return asyncio.run(fetch())


def test_each_migration_runs_once(database_url: str, package: str) -> None:
    migrate(database_url, package)
    migrate(database_url, package)
    assert rows(database_url, "SELECT name, amount FROM items") == [("first", 40)]
    assert rows(database_url, "SELECT version_num FROM alembic_version") == [("0002",)]


def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(database_url: str, package: str, versions: Path) -> None:
    migrate(database_url, package)
    (versions / "0003_rebuild.py").write_text(REBUILD)
    migrate(database_url, package)
    assert rows(database_url, 'SELECT "of" FROM labels') == [("first",)]


def test_a_failed_migration_changes_nothing(database_url: str, package: str, versions: Path) -> None:
    migrate(database_url, package)
    (versions / "0003_broken.py").write_text(BROKEN)
    with pytest.raises(Exception, match="nowhere"):
        migrate(database_url, package)
    assert rows(database_url, "SELECT name FROM items") == [("first",)]
    assert rows(database_url, "SELECT version_num FROM alembic_version") == [("0002",)]


def test_concurrent_processes_run_each_migration_once(database_url: str, package: str, tmp_path: Path) -> None:
    assert begun_at_once(4, [database_url], package, tmp_path) == [0] * 4
    assert rows(database_url, "SELECT name FROM items") == [("first",)]


def test_a_current_database_is_not_locked(tmp_path: Path, package: str) -> None:
    url = f"sqlite:///{tmp_path}/held.db"
    migrate(url, package)
    with closing(sqlite3.connect(tmp_path / "held.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO items VALUES ('second', 1)")
        migrate(url, package)  # it does not wait for the lock
        other.execute("COMMIT")
    assert rows(url, "SELECT count(*) FROM items") == [(2,)]


def test_a_pending_migration_waits_for_the_lock(tmp_path: Path, package: str, versions: Path) -> None:
    url = f"sqlite:///{tmp_path}/held.db"
    migrate(url, package)
    (versions / "0003_rebuild.py").write_text(REBUILD)
    with closing(sqlite3.connect(tmp_path / "held.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="cannot be migrated") as held:
            migrate(url, package, timeout=0.1)
        assert held.value.with_cause.endswith("database is locked")
    migrate(url, package)
    assert rows(url, "SELECT version_num FROM alembic_version") == [("0003",)]


def is_running(function: str) -> bool:
    stacks = map(traceback.walk_stack, sys._current_frames().values())
    return any(frame.f_code.co_name == function for stack in stacks for frame, _ in stack)


def test_a_database_that_a_newer_program_upgraded_meanwhile_is_left_unchanged(
    tmp_path: Path, package: str, versions: Path
) -> None:
    url = f"sqlite:///{tmp_path}/held.db"
    migrate(url, package)
    (versions / "0003_rebuild.py").write_text(REBUILD)
    with (
        closing(sqlite3.connect(tmp_path / "held.db", isolation_level=None)) as other,
        ThreadPoolExecutor() as pool,
    ):
        other.execute("BEGIN IMMEDIATE")
        waiting = pool.submit(migrate, url, package)
        wait_until(lambda: is_running("_begin_exclusive"))  # it has read the old revision by then
        other.execute("UPDATE alembic_version SET version_num = '0004'")
        other.execute("COMMIT")
        with pytest.raises(StoreUnavailable, match="the database is newer than this program"):
            waiting.result()


FULL_DISK = """
import resource, signal, sys

from tallystick_service.store import StoreUnavailable
from tallystick_service.store.migrations import migrate

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    migrate(*sys.argv[1:])
except StoreUnavailable as unavailable:
    print(unavailable.with_cause)
"""


def test_a_full_disk_is_not_waited_for(tmp_path: Path, package: str) -> None:
    """Unlike a lock, for which a migration waits a minute."""
    command = [sys.executable, "-c", FULL_DISK, f"sqlite:///{tmp_path}/new.db", package]
    ended = subprocess.run(
        command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert ended.stdout.startswith("the database cannot be migrated")
    assert not (tmp_path / "new.db").stat().st_size


def test_concurrent_processes_can_create_the_same_sqlite_file(tmp_path: Path, package: str) -> None:
    urls = [f"sqlite:///{tmp_path}/{round_}.db" for round_ in range(40)]
    assert begun_at_once(8, urls, package, tmp_path) == [0] * 8


def test_a_database_of_a_newer_program_is_left_unchanged(database_url: str, package: str, versions: Path) -> None:
    migrate(database_url, package)
    (versions / "0002_second.py").unlink()
    with pytest.raises(StoreUnavailable, match="the database is newer than this program"):
        migrate(database_url, package)
    assert rows(database_url, "SELECT version_num FROM alembic_version") == [("0002",)]


def test_a_restored_copy_gets_a_write_ahead_log_again(tmp_path: Path, package: str) -> None:
    migrate(f"sqlite:///{tmp_path}/before.db", package)
    with closing(sqlite3.connect(tmp_path / "before.db")) as before:
        before.execute(f"VACUUM INTO '{tmp_path}/copy.db'")
    migrate(f"sqlite:///{tmp_path}/copy.db", package)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_unreachable_database_is_reported(package: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="the database cannot be opened"):
        migrate(f"postgresql:///db?host={tmp_path}", package)


def begun_at_once(count: int, urls: list[str], package: str, folder: Path) -> list[int | None]:
    """The exit codes of `count` processes that migrate each of `urls` at the same time."""
    arguments = (context.Barrier(count), urls, package, str(folder))
    processes = [context.Process(target=migrate_together, args=arguments) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def migrate_together(
    together: "multiprocessing.synchronize.Barrier", urls: list[str], package: str, folder: str
) -> None:
    sys.path.insert(0, folder)
    for url in urls:
        together.wait(60)
        migrate(url, package)
