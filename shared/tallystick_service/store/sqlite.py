"""SQLite: one thread that writes and commits in groups, and a few threads that read.

A commit with `synchronous=FULL` waits for the disk, and it waits as long for one unit as for sixty. The units that
arrive during a commit therefore form the next group: one transaction with a SAVEPOINT for each unit. SQLAlchemy
compiles and runs the statements of the units; the transaction statements go directly to the driver.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from queue import Empty

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tallystick_service.store.errors import StoreUnavailable, Unstorable
from tallystick_service.store.unit import Unit, resolve_futures
from tallystick_service.store.work_queue import Queue

logger = logging.getLogger(__name__)

MAX_GROUP_UNITS = 64
BUSY_TIMEOUT = 5.0
"""Seconds to wait for the write of another process."""

MAX_WAL_BYTES = 64 * 1024 * 1024
"""Size to which the write-ahead log is truncated after a peak."""

_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


class _Connection(sqlite3.Connection):
    """Remembers which file it opened, so that a file that was moved away or replaced at `path` is noticed (ADR 54)."""

    path: Path
    file: tuple[int, int] | None

    @property
    def is_current(self) -> bool:
        return self.file is not None and self.file == _identity(self.path)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@lru_cache(maxsize=8)
def sqlite_engine(url: str) -> Engine:
    """Return an engine for `sqlite:///relative/path` or `sqlite:////absolute/path`. Opens no connection.

    A missing file is created only for the first connection. Creating it again later would hide the loss of the data.
    """
    database = Path(make_url(url).database or "")
    known: tuple[int, int] | None = None

    def connect() -> sqlite3.Connection:
        nonlocal known
        path = database.absolute()
        if known is None:
            _create_private(path)
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            cached_statements=512,
            factory=_Connection,
        )
        connection.path, connection.file = path, _identity(path)
        if known not in (None, connection.file):
            logger.warning("the database file %s was replaced", path)
        known = connection.file or known
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {MAX_WAL_BYTES}")
        return connection

    # Every thread keeps its connection, so there is nothing to pool.
    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "before_cursor_execute", _refuse_nul)
    return engine


def _create_private(path: Path) -> None:
    """Only the owner may read the file, which holds hashes and encrypted keys. SQLite gives the WAL the same mode."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _refuse_nul(_c: object, _cursor: object, _sql: object, parameters: object, _context: object, _many: bool) -> None:
    """SQLite stores text with a NUL and PostgreSQL refuses it. A service must behave the same on both."""
    for value in parameters if isinstance(parameters, tuple) else ():
        if type(value) is str and "\x00" in value:
            raise Unstorable("a value holds a NUL character")


class ThreadConnection:
    """The connection of one thread: opened when it is first needed, and again after it was dropped."""

    def __init__(self, engine: Engine, *, pragma: str) -> None:
        self._engine = engine
        self._pragma = pragma
        self._open: tuple[Connection, _Connection] | None = None

    def get(self) -> tuple[Connection, _Connection]:
        """The connection to the file that is at the path now. If the file was replaced, a new connection is opened."""
        if self._open is not None and not self._open[1].is_current:
            self.drop()
        if self._open is None:
            connection = self._engine.connect()
            driver = connection.connection.driver_connection
            if not isinstance(driver, _Connection):
                raise TypeError("the engine is not one of sqlite_engine()")
            driver.execute(f"PRAGMA {self._pragma}")
            self._open = connection, driver
        return self._open

    def drop(self) -> None:
        """Close the connection, which rolls back an open transaction."""
        if self._open is not None:
            connection, _ = self._open
            self._open = None
            connection.invalidate()
            connection.close()


class Reader:
    """Runs in a reading thread: each unit sees one snapshot of the database and cannot write."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, queue: Queue) -> None:
        thread_connection = ThreadConnection(self._engine, pragma="query_only = ON")
        while (unit := queue.get()) is not None:
            if not unit.is_abandoned:
                self._run(unit, thread_connection)
            queue.done(1)
            resolve_futures([unit])
        thread_connection.drop()

    def _run(self, unit: Unit, thread_connection: ThreadConnection) -> None:
        try:
            connection, driver = thread_connection.get()
            driver.execute("BEGIN")
            try:
                unit.succeed(unit.work(connection))
            finally:
                if driver.in_transaction:
                    driver.execute("COMMIT")  # a read transaction has nothing to roll back
        except BaseException as error:
            failure = _translated(error, writes=False)
            unit.fail(failure)
            if isinstance(failure, StoreUnavailable):
                thread_connection.drop()


class Writer:
    """Runs in the only writing thread."""

    def __init__(self, engine: Engine, *, max_group_seconds: float) -> None:
        self._engine = engine
        self._max_group_seconds = max_group_seconds

    def __call__(self, queue: Queue) -> None:
        thread_connection = ThreadConnection(self._engine, pragma="journal_mode = WAL")
        while (first := queue.get()) is not None:
            group = [first]
            try:
                self._commit(group, _next_batch(queue, self._max_group_seconds), thread_connection)
            except BaseException as error:
                # A failed commit or an automatic rollback affects every unit, also those with a released savepoint.
                thread_connection.drop()
                for unit in group:
                    unit.fail(_group_failure(error))
            queue.done(len(group))
            resolve_futures(group)
        thread_connection.drop()

    def _commit(self, group: list[Unit], batch: Iterator[Unit], thread_connection: ThreadConnection) -> None:
        """Run the unit in `group` and those of `batch`, which are added to `group`, and commit them together."""
        connection, driver = thread_connection.get()
        driver.execute("BEGIN IMMEDIATE")  # a plain BEGIN that reads and then writes fails at once when another writes
        _run_in_savepoint(group[0], connection, driver)
        for unit in batch:
            group.append(unit)
            _run_in_savepoint(unit, connection, driver)
        driver.execute("COMMIT")
        if not driver.is_current:
            raise StoreUnavailable("the database file was moved away or replaced")


def _next_batch(queue: Queue, max_seconds: float) -> Iterator[Unit]:
    """The units that wait, until the group has MAX_GROUP_UNITS or has taken `max_seconds`."""
    end = time.monotonic() + max_seconds
    for _ in range(MAX_GROUP_UNITS - 1):
        try:
            unit = queue.get_nowait()
        except Empty:
            return
        if unit is None:
            queue.put(None)
            return
        yield unit
        if time.monotonic() > end:
            return


def _run_in_savepoint(unit: Unit, connection: Connection, driver: sqlite3.Connection) -> None:
    """Set the unit's outcome. Raises only when SQLite has rolled back the whole transaction."""
    if unit.is_abandoned:
        return
    driver.execute("SAVEPOINT unit")
    try:
        unit.succeed(unit.work(connection))
    except BaseException as error:
        if not driver.in_transaction:
            raise
        driver.execute("ROLLBACK TO unit")
        unit.fail(_translated(error, writes=True))
    driver.execute("RELEASE unit")


def _group_failure(error: BaseException) -> StoreUnavailable:
    if isinstance(error, StoreUnavailable):
        return error
    unavailable = StoreUnavailable("the store could not commit")
    unavailable.__cause__ = error
    return unavailable


def _translated(error: BaseException, *, writes: bool) -> BaseException:
    """Return the error that the caller gets."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    known: BaseException
    match cause:
        case sqlite3.Error() if _is_unavailable(getattr(cause, "sqlite_errorcode", 0) & 0xFF, writes=writes):
            known = StoreUnavailable("the store is unavailable")
        case OSError():
            known = StoreUnavailable("the store cannot be opened")
        case UnicodeEncodeError() | OverflowError():
            known = Unstorable("a value cannot be stored")
        case _:
            return error
    known.__cause__ = error
    return known


def _is_unavailable(primary_code: int, *, writes: bool) -> bool:
    """On a reading connection, SQLITE_READONLY comes from its `query_only` setting."""
    return primary_code in _UNAVAILABLE and (writes or primary_code != sqlite3.SQLITE_READONLY)
