"""A unit of work, passed from the event loop that awaits it to the thread that runs it."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from sqlalchemy import Connection


class Unit:
    """One call of `work(connection)`. The thread sets its outcome, and `resolve_futures` passes it to the event loop.

    It runs in the context variables of its caller, so that audit rows can name the request.
    """

    __slots__ = ("_context", "_failure", "_future", "_loop", "_result", "_work", "writes")

    def __init__(self, work: Callable[[Connection], Any], future: asyncio.Future[Any], *, writes: bool) -> None:
        self._work = work
        self._context = copy_context()
        self.writes = writes
        self._future = future
        self._loop = future.get_loop()
        self._result: Any = None
        self._failure: BaseException | None = None

    def work(self, connection: Connection) -> Any:
        """Raises every exception of the work."""
        return self._context.run(self._work, connection)

    @property
    def is_abandoned(self) -> bool:
        """The caller was cancelled, or the deadline has passed."""
        return self._future.done()

    def succeed(self, result: Any) -> None:
        self._result, self._failure = result, None

    def fail(self, failure: BaseException) -> None:
        self._result, self._failure = None, failure

    def _resolve_future(self) -> None:
        if self._future.done():
            return
        if self._failure is None:
            self._future.set_result(self._result)
        elif isinstance(self._failure, StopIteration):  # a future cannot carry it
            self._future.set_exception(RuntimeError("the unit of work raised StopIteration"))
        else:
            self._future.set_exception(self._failure)


def resolve_futures(units: Iterable[Unit]) -> None:
    """Pass the outcomes of these units to their event loops, with one wake-up for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Unit]] = {}
    for unit in units:
        by_loop.setdefault(unit._loop, []).append(unit)
    for loop, resolved in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(_resolve_all, resolved)


def _resolve_all(units: list[Unit]) -> None:
    for unit in units:
        unit._resolve_future()
