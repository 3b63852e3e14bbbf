"""Upgrade a database to the newest schema. Several processes may start at the same time.

A service keeps its migrations in a package of its own, `<package>/versions/*.py`, in Alembic's form. This module takes
the place of `env.py`, which would be the same in every service.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from tallystick_service.store.errors import StoreUnavailable
from tallystick_service.store.statements import advisory_lock
from tallystick_service.store.store import engine_for

_LOCK = "tallystick migrations"
MIGRATION_TIMEOUT = 60.0
"""Seconds that a process waits for the migration of another process, and that one statement may take."""


def migrate(url: str, package: str, *, timeout: float = MIGRATION_TIMEOUT) -> None:
    """Run the migrations of `package` (such as `auth_service.migrations`) that the database at `url` does not have yet.

    They run in one transaction under a lock, all or none. When there is nothing to run, the database is only read.
    Blocks. Raises StoreUnavailable when the database is unreachable or newer than this program, or when another process
    holds the lock for more than `timeout` seconds.
    """
    engine = engine_for(url, statement_timeout=timeout)
    with as_file(files(package)) as folder, _connected(engine) as connection:
        scripts = ScriptDirectory(str(folder))
        if _is_newest(connection, scripts):
            return
        with _exclusive_transaction(connection, timeout):
            _heads(connection, scripts)  # a newer program may have migrated it meanwhile
            _upgrade(connection, scripts)
            _commit(connection)


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    with _or_unavailable("the database cannot be opened"):
        connection = engine.connect()
    with connection:
        yield connection


def _is_newest(connection: Connection, scripts: ScriptDirectory) -> bool:
    """Whether there is nothing to do. Reads without a lock; when this is False, the lock decides."""
    known = _heads(connection, scripts)
    with _or_unavailable("the database cannot be read"):
        # A copy that was restored from a backup may have another journal mode.
        has_journal_mode = connection.dialect.name != "sqlite" or _journal_mode(connection) == "wal"
        connection.rollback()
    return has_journal_mode and known == set(scripts.get_heads())


def _heads(connection: Connection, scripts: ScriptDirectory) -> set[str]:
    """The revisions of the database. Raises StoreUnavailable when `scripts` does not have one of them."""
    with _or_unavailable("the database cannot be read"):
        known = set(MigrationContext.configure(connection).get_current_heads())
    if not known.issubset(script.revision for script in scripts.walk_revisions()):
        raise StoreUnavailable("the database is newer than this program")
    return known


@contextmanager
def _exclusive_transaction(connection: Connection, timeout: float) -> Iterator[None]:
    """A transaction during which no other migration runs."""
    with _or_unavailable("the database cannot be migrated"):
        _begin_exclusive(connection, timeout)
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL:
            raise  # an error in a migration, which needs its traceback
        raise StoreUnavailable("the disk is full") from error


@contextmanager
def _or_unavailable(description: str) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, OSError) as error:
        raise StoreUnavailable(description) from error


def _begin_exclusive(connection: Connection, timeout: float) -> None:
    if connection.dialect.name == "sqlite":
        _set_journal_mode(connection, timeout)
        # A table is altered by copying it. Dropping the old table must not delete the rows that refer to it.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(timeout * 1000)}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        advisory_lock(connection, _LOCK)


def _set_journal_mode(connection: Connection, timeout: float) -> None:
    """Retry, because for this statement SQLite ignores the busy timeout while another process reads."""
    end = time.monotonic() + timeout
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            return
        except OperationalError as error:
            if not _is_held(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _is_held(error: OperationalError) -> bool:
    """Whether waiting may help. It does not help on a disk that is full or read-only."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _journal_mode(connection: Connection) -> str:
    return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())


def _upgrade(connection: Connection, scripts: ScriptDirectory) -> None:
    def steps(revision: str, _context: object) -> object:
        return scripts._upgrade_revs("head", revision)

    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=True, render_as_batch=True)
        environment.run_migrations()


def _commit(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken:
            raise sqlite3.IntegrityError(f"a migration left rows of {broken[0]} without their parent in {broken[2]}")
    connection.commit()
