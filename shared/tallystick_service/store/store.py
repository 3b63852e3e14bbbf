"""The interface of the store: `await store.write(fn, …)` and `await store.read(fn, …)`."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, Engine, make_url

from tallystick_service.store.errors import StoreUnavailable
from tallystick_service.store.observer import Outcome, StoreObserver
from tallystick_service.store.statements import touch
from tallystick_service.store.unit import Unit
from tallystick_service.store.work_queue import WorkQueue

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

POOL_SIZE = 8
QUEUE_SIZE = 1024
DEADLINE = 1.5
"""Seconds."""
_REPEAT_LOG_SECONDS = 60.0
_CLOSE_TIMEOUT = 5.0
"""Seconds for the units that run when the store is closed. Supervisors wait longer for a process to end."""

_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgres://")


class Store:
    """Runs units of work: plain functions `fn(connection, *args, **kwargs)`, each in one transaction, in a thread.

    The call returns after the commit, so a response cannot be sent before its data is stored. An exception rolls back
    that unit only and reaches the caller. A refusal that must be stored is therefore returned, not raised.

    A unit only runs SQL, because it may be run again after a serialization failure or deadlock. It must return fetched
    rows, not an open result. A statement that may fail without ending the unit is run in
    `with connection.begin_nested():`.

    Raises StoreUnavailable when the database is unreachable, full or locked, when too many units wait, and after
    `deadline` seconds; Unstorable for a value that the database cannot store.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        reads: WorkQueue,
        writes: WorkQueue,
        deadline: float,
        observer: StoreObserver | None = None,
    ) -> None:
        self.engine = engine
        self._reads = reads
        self._writes = writes
        self._deadline = deadline
        self._observer = observer
        self._logged = ""
        self._logged_at = -math.inf
        self._has_failed_to_write = False

    @classmethod
    def open(
        cls,
        url: str,
        *,
        pool_size: int = POOL_SIZE,
        queue_size: int = QUEUE_SIZE,
        deadline: float = DEADLINE,
        max_group_seconds: float = 0.005,
        options: Mapping[str, object] | None = None,
        observer: StoreObserver | None = None,
    ) -> Self:
        """A store on `sqlite:///relative`, `sqlite:////absolute` or any libpq URL `postgresql://…`.

        Connects when the first unit runs, so it never blocks, and never fails when the database is unreachable.
        `pool_size`: connections to PostgreSQL, or reading threads on SQLite. `queue_size`: units that may wait.
        `deadline`: seconds after which the caller gets StoreUnavailable. `max_group_seconds`: for how long SQLite adds
        waiting units to the transaction of the first one. `options`: values that every unit can read
        with `connection.get_execution_options()`. `observer` is called for every unit. Raises ValueError for any other
        URL.
        """
        engine = engine_for(url, statement_timeout=deadline).execution_options(**(options or {}))
        if engine.dialect.name == "sqlite":
            from tallystick_service.store.sqlite import Reader, Writer

            writes = WorkQueue(
                "write", Writer(engine, max_group_seconds=max_group_seconds), threads=1, queue_size=queue_size
            )
            reads = WorkQueue("read", Reader(engine), threads=pool_size, queue_size=queue_size)
        else:
            from tallystick_service.store.postgresql import Worker

            reads = writes = WorkQueue("work", Worker(engine), threads=pool_size, queue_size=queue_size)
        return cls(engine, reads=reads, writes=writes, deadline=deadline, observer=observer)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @property
    def waiting(self) -> Mapping[str, int]:
        """The number of units in each queue: `read` and `write` on SQLite, `any` on PostgreSQL."""
        if self._reads is self._writes:
            return {"any": self._reads.waiting}
        return {"read": self._reads.waiting, "write": self._writes.waiting}

    async def read(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit that only reads. It sees one snapshot of the database, and a write in it fails."""
        return await self._run(self._reads, lambda connection: fn(connection, *args, **kwargs), writes=False)

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit that reads and writes, and return what it returned after its commit."""
        return await self._run(self._writes, lambda connection: fn(connection, *args, **kwargs), writes=True)

    async def check_writing(self) -> None:
        """Raise StoreUnavailable when a write has failed and a new write fails, too. On a full disk reads still work.

        For the readiness check. It writes only after a failed write. The database must have been migrated.
        """
        if self._has_failed_to_write:
            await self.write(touch)
            self._has_failed_to_write = False

    async def close(self) -> None:
        """Run the units that wait, and close every connection. Later units raise StoreUnavailable."""
        end = time.monotonic() + min(self._deadline, _CLOSE_TIMEOUT)
        # The last connection that closes moves the write-ahead log into the database file.
        for queue in dict.fromkeys((self._reads, self._writes)):
            await asyncio.to_thread(queue.close, max(0.0, end - time.monotonic()))

    async def _run(self, queue: WorkQueue, work: Callable[[Connection], T], *, writes: bool) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        timer = loop.call_later(self._deadline, _abandon, future)
        begin = time.perf_counter()
        outcome: Outcome = "done"
        try:
            queue.submit(Unit(work, future, writes=writes))
            return await future
        except StoreUnavailable as unavailable:
            self._has_failed_to_write |= writes
            outcome = unavailable.outcome
            self._report(unavailable)
            raise
        except asyncio.CancelledError:
            outcome = "abandoned"
            raise
        finally:
            timer.cancel()
            if self._observer is not None:
                self._observer.unit_ended(writes=writes, seconds=time.perf_counter() - begin, outcome=outcome)

    def _report(self, unavailable: StoreUnavailable) -> None:
        """Log the reason, at most once a second, and the same reason once a minute."""
        reason, now = unavailable.with_cause, time.monotonic()
        if now >= self._logged_at + (_REPEAT_LOG_SECONDS if reason == self._logged else 1.0):
            self._logged, self._logged_at = reason, now
            logger.warning("%s", reason)


def _abandon(future: asyncio.Future[T]) -> None:
    if not future.done():
        future.set_exception(StoreUnavailable("the store did not answer in time", outcome="abandoned"))


def database_exists(url: str) -> bool:
    """Whether the file of a SQLite database exists. True for PostgreSQL, where only connecting shows it."""
    return not url.startswith(_SQLITE) or Path(make_url(url).database or "").exists()


def check_url(url: str) -> None:
    """Raise ValueError when `url` is not a database URL. Its message quotes nothing, for a URL may hold a password."""
    if url.startswith(_POSTGRESQL):
        from tallystick_service.store.postgresql import parse_libpq_url

        parse_libpq_url(url)
    elif not url.startswith(_SQLITE):
        raise ValueError(f"a database_url must begin with {_SQLITE} or {_POSTGRESQL[0]}")


def engine_for(url: str, *, statement_timeout: float) -> Engine:
    """Return the engine of a store. Opens no connection. `statement_timeout`: seconds for a statement on PostgreSQL.

    Engines are shared, because they cache compiled statements, and compiling takes longer than running. A driver is
    imported only when its database is used. Raises ValueError for any other URL.
    """
    if url.startswith(_POSTGRESQL):
        from tallystick_service.store.postgresql import postgresql_engine

        return postgresql_engine(url, statement_timeout=statement_timeout)
    check_url(url)
    from tallystick_service.store.sqlite import sqlite_engine

    return sqlite_engine(url)
