"""SQLite: one thread that writes and commits in groups, and a few that read.

A commit with `synchronous=FULL` waits for the disk, and the wait costs the same for one unit as for sixty. So what has
come in while the last group was being committed becomes the next group: one transaction, a SAVEPOINT for each unit.
SQLAlchemy compiles and runs the statements; the transaction is ours, spoken straight to the driver.
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

GROUP_UNITS = 64
GROUP_SECONDS = 0.005
BUSY_SECONDS = 5.0
"""How long to wait for another process's write."""

WAL_BYTES = 64 * 1024 * 1024
"""To which the file beside the database shrinks again after a rush."""

_AWAY = {
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
    """Knows which file it has open, whatever stands at `path` by now."""

    path: Path
    file: tuple[int, int] | None

    @property
    def is_of_what_stands_there(self) -> bool:
        return self.file is not None and self.file == _identity(self.path)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@lru_cache(maxsize=8)
def sqlite_engine(url: str) -> Engine:
    """An engine for `sqlite:///relative/path` or `sqlite:////absolute/path`. Opens nothing yet.

    A file that is not there is made once. If it goes later, a new one in its place would hide that all is gone.
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
            timeout=BUSY_SECONDS,
            isolation_level=None,
            cached_statements=512,
            factory=_Connection,
        )
        connection.path, connection.file = path, _identity(path)
        if known not in (None, connection.file):
            logger.warning("another file stands at %s by now", path)
        known = connection.file or known
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        return connection

    # Every thread keeps the connection it opened, so there is nothing to pool.
    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "before_cursor_execute", _refuse_nul)
    return engine


def _create_private(path: Path) -> None:
    """The file holds hashes and encrypted keys, so only its owner may read it; SQLite gives the WAL the same mode."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _refuse_nul(_c: object, _cursor: object, _sql: object, parameters: object, _context: object, _many: bool) -> None:
    """SQLite would keep text with a NUL and PostgreSQL refuses it: a service must not behave differently on the two."""
    for value in parameters if isinstance(parameters, tuple) else ():
        if type(value) is str and "\x00" in value:
            raise Unstorable("a value holds a NUL character")


class ThreadConnection:
    """A thread's connection: opened when it is first needed, and again after it was dropped."""

    def __init__(self, engine: Engine, *, pragma: str) -> None:
        self._engine = engine
        self._pragma = pragma
        self._open: tuple[Connection, _Connection] | None = None

    def get(self) -> tuple[Connection, _Connection]:
        """Of the file that stands there by now, though it be another one than before."""
        if self._open is not None and not self._open[1].is_of_what_stands_there:
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
        """Closing the connection rolls back what was open on it."""
        if self._open is not None:
            connection, _ = self._open
            self._open = None
            connection.invalidate()
            connection.close()


class Reader:
    """The life of one reading thread: each unit sees one moment of the database and can change nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, waiting: Queue) -> None:
        thread_connection = ThreadConnection(self._engine, pragma="query_only = ON")
        while (unit := waiting.get()) is not None:
            if not unit.is_abandoned:
                self._run(unit, thread_connection)
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
                    driver.execute("COMMIT")  # there is nothing to roll back
        except BaseException as error:
            failure = _translated(error, writes=False)
            unit.fail(failure)
            if isinstance(failure, StoreUnavailable):
                thread_connection.drop()


class Writer:
    """The life of the one writing thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, waiting: Queue) -> None:
        thread_connection = ThreadConnection(self._engine, pragma="journal_mode = WAL")
        while (first := waiting.get()) is not None:
            group = [first]
            try:
                self._commit(group, _next_batch(waiting), thread_connection)
            except BaseException as error:
                # What SQLite rolled back, or could not commit, it rolled back for all: released savepoints included.
                thread_connection.drop()
                for unit in group:
                    unit.fail(_group_failure(error))
            resolve_futures(group)
        thread_connection.drop()

    def _commit(self, group: list[Unit], followers: Iterator[Unit], thread_connection: ThreadConnection) -> None:
        """Run the first unit and its followers, which are added to `group`, and commit them together."""
        connection, driver = thread_connection.get()
        driver.execute("BEGIN IMMEDIATE")  # a plain BEGIN that reads and then writes fails at once when another writes
        _run_in_savepoint(group[0], connection, driver)
        for unit in followers:
            group.append(unit)
            _run_in_savepoint(unit, connection, driver)
        driver.execute("COMMIT")
        if not driver.is_of_what_stands_there:
            raise StoreUnavailable("the database file was moved away or replaced")


def _next_batch(waiting: Queue) -> Iterator[Unit]:
    """What waits, until the group is large or old enough."""
    end = time.monotonic() + GROUP_SECONDS
    for _ in range(GROUP_UNITS - 1):
        try:
            unit = waiting.get_nowait()
        except Empty:
            return
        if unit is None:
            waiting.put(None)
            return
        yield unit
        if time.monotonic() > end:
            return


def _run_in_savepoint(unit: Unit, connection: Connection, driver: sqlite3.Connection) -> None:
    """Set the unit's outcome. Raises only when the whole transaction is gone."""
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
    """The error as the caller shall see it."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    known: BaseException
    match cause:
        case sqlite3.Error() if _is_away(getattr(cause, "sqlite_errorcode", 0) & 0xFF, writes=writes):
            known = StoreUnavailable("the store is unavailable")
        case OSError():
            known = StoreUnavailable("the store cannot be opened")
        case UnicodeEncodeError() | OverflowError():
            known = Unstorable("a value cannot be stored")
        case _:
            return error
    known.__cause__ = error
    return known


def _is_away(primary_code: int, *, writes: bool) -> bool:
    """A reading connection is read-only by our own word."""
    return primary_code in _AWAY and (writes or primary_code != sqlite3.SQLITE_READONLY)
