"""The store as a service sees it: `await store.write(fn, …)` and `await store.read(fn, …)`."""

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
_TELL_AGAIN = 60.0
_CLOSING = 5.0
"""Seconds for what is under way in the end: who supervises us waits longer."""

_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgres://")


class Store:
    """Runs units of work: plain functions `fn(connection, *args, **kwargs)`, each in one transaction, in a thread.

    The call returns after the commit, so no answer can leave before what it says is true. What a unit raises rolls back
    that unit alone and reaches the caller; a refusal that must be remembered is therefore returned, not raised.

    A unit holds SQL and nothing else: it may be run again after a serialization failure or deadlock. What it returns
    must be complete (rows, not a result still to be fetched). A statement that may fail inside a unit that wants to
    go on stands in `with connection.begin_nested():`.

    Raises StoreUnavailable when the database is away, full or locked, when too many units wait, and after `deadline`
    seconds; Unstorable for a value that no database of ours keeps.
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
        self._told = ""
        self._told_at = -math.inf
        self._has_failed_to_write = False

    @classmethod
    def open(
        cls,
        url: str,
        *,
        pool_size: int = POOL_SIZE,
        queue_size: int = QUEUE_SIZE,
        deadline: float = DEADLINE,
        options: Mapping[str, object] | None = None,
        observer: StoreObserver | None = None,
    ) -> Self:
        """A store on `sqlite:///relative`, `sqlite:////absolute` or any libpq URL `postgresql://…`.

        Connects when the first unit comes, so it never blocks and never fails for a database that is away.
        `pool_size`: connections to PostgreSQL, or reading threads on SQLite. `queue_size`: units that may wait.
        `deadline`: seconds until a caller is told StoreUnavailable. `options`: what every unit may read, by
        `connection.get_execution_options()`. `observer` hears of every unit. Raises ValueError for any other URL.
        """
        engine = engine_for(url, patience=deadline).execution_options(**(options or {}))
        if engine.dialect.name == "sqlite":
            from tallystick_service.store.sqlite import Reader, Writer

            writes = WorkQueue("write", Writer(engine), threads=1, queue_size=queue_size)
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
        """The units in each queue: `read` and `write`, or `any` where both wait in one."""
        if self._reads is self._writes:
            return {"any": self._reads.waiting}
        return {"read": self._reads.waiting, "write": self._writes.waiting}

    async def read(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit that only reads. It sees one moment of the database, and a write in it fails."""
        return await self._run(self._reads, lambda connection: fn(connection, *args, **kwargs), writes=False)

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit that reads and writes, and return what it returned after its commit."""
        return await self._run(self._writes, lambda connection: fn(connection, *args, **kwargs), writes=True)

    async def check_writing(self) -> None:
        """Raise StoreUnavailable when a write has failed and another one still does: on a full disk reads go on.

        For readiness: it writes only while there is doubt. The database has been migrated.
        """
        if self._has_failed_to_write:
            await self.write(touch)
            self._has_failed_to_write = False

    async def close(self) -> None:
        """Finish the units that wait, and close every connection. Later units raise StoreUnavailable."""
        end = time.monotonic() + min(self._deadline, _CLOSING)
        # What SQLite's writer wrote, the last to close puts into the file.
        for lane in dict.fromkeys((self._reads, self._writes)):
            await asyncio.to_thread(lane.close, max(0.0, end - time.monotonic()))

    async def _run(self, lane: WorkQueue, work: Callable[[Connection], T], *, writes: bool) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        timer = loop.call_later(self._deadline, _give_up, future)
        begin = time.perf_counter()
        outcome: Outcome = "done"
        try:
            lane.submit(Unit(work, future, writes=writes))
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
        """Tell the operator why: once a second at most, and the same once a minute."""
        reason, now = unavailable.with_cause, time.monotonic()
        if now >= self._told_at + (_TELL_AGAIN if reason == self._told else 1.0):
            self._told, self._told_at = reason, now
            logger.warning("%s", reason)


def _give_up(future: asyncio.Future[T]) -> None:
    if not future.done():
        future.set_exception(StoreUnavailable("the store did not answer in time", outcome="abandoned"))


def database_exists(url: str) -> bool:
    """Whether there is a database to open; of one on PostgreSQL the server will tell."""
    return not url.startswith(_SQLITE) or Path(make_url(url).database or "").exists()


def check_url(url: str) -> None:
    """Raises ValueError for what is no URL of a database, and quotes nothing of it, for it may hold a password."""
    if url.startswith(_POSTGRESQL):
        from tallystick_service.store.postgresql import read_url

        read_url(url)
    elif not url.startswith(_SQLITE):
        raise ValueError(f"a database_url must begin with {_SQLITE} or {_POSTGRESQL[0]}")


def engine_for(url: str, *, patience: float) -> Engine:
    """The engine behind a store. `patience`: seconds that a statement may take on PostgreSQL. Connects to nothing yet.

    It holds no connection and knows what it has compiled, which takes longer than to run it, so it is shared.
    Either driver is imported only where it is asked for. Raises ValueError for a URL of another kind.
    """
    if url.startswith(_POSTGRESQL):
        from tallystick_service.store.postgresql import postgresql_engine

        return postgresql_engine(url, patience=patience)
    check_url(url)
    from tallystick_service.store.sqlite import sqlite_engine

    return sqlite_engine(url)
