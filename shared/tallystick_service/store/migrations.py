"""Bring a database to the newest schema, however many processes begin at once.

A service keeps its steps in a package of its own, `<package>/versions/*.py`, in Alembic's form. There is no `env.py`:
what it would say is the same for every service, and is said here.
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
_PATIENCE = 60.0
"""Seconds that a process waits for another one's migration, and that one statement may take."""


def migrate(url: str, package: str) -> None:
    """Run the steps of `package` (as in `auth_service.migrations`) that the database at `url` has not seen.

    All of them are one transaction under a lock: they are there, or nothing has changed. Where there are none to run,
    the database is only read. It blocks.
    Raises StoreUnavailable when the database is away or another process holds it for more than a minute.
    """
    engine = engine_for(url, patience=_PATIENCE)
    with as_file(files(package)) as folder, _connected(engine) as connection:
        scripts = ScriptDirectory(str(folder))
        if _is_newest(connection, scripts):
            return
        with _alone(connection):
            _heads(connection, scripts)  # somebody newer may have been here since we looked
            _upgrade(connection, scripts)
            _commit(connection)


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    with _or_unavailable("the database cannot be opened"):
        connection = engine.connect()
    with connection:
        yield connection


def _is_newest(connection: Connection, scripts: ScriptDirectory) -> bool:
    """No lock is needed to see it: another process may only just be making it so, and that is for the lock to say."""
    known = _heads(connection, scripts)
    with _or_unavailable("the database cannot be read"):
        is_as_we_left_it = (
            connection.dialect.name != "sqlite" or _journal_mode(connection) == "wal"
        )  # or a restored copy
        connection.rollback()
    return is_as_we_left_it and known == set(scripts.get_heads())


def _heads(connection: Connection, scripts: ScriptDirectory) -> set[str]:
    """The revisions that the database is at. Raises StoreUnavailable where `scripts` do not have them."""
    with _or_unavailable("the database cannot be read"):
        known = set(MigrationContext.configure(connection).get_current_heads())
    if not known.issubset(script.revision for script in scripts.walk_revisions()):
        raise StoreUnavailable("the database is newer than this program")
    return known


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """In a transaction that no other migration runs beside."""
    with _or_unavailable("the database cannot be migrated"):
        _begin_alone(connection)
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL:
            raise  # a mistake in a migration, which wants its traceback
        raise StoreUnavailable("the disk is full") from error


@contextmanager
def _or_unavailable(description: str) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, OSError) as error:
        raise StoreUnavailable(description) from error


def _begin_alone(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        _keep_a_log(connection)
        # A table is changed by copying it, and dropping the old one must not take along what refers to it.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(_PATIENCE * 1000)}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        advisory_lock(connection, _LOCK)


def _keep_a_log(connection: Connection) -> None:
    """SQLite does not wait for those who are reading, as other processes do that begin with us."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            return
        except OperationalError as error:
            if not _is_held(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _is_held(error: OperationalError) -> bool:
    """Whether waiting may help, as it does not on a disk that is full or read-only."""
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
