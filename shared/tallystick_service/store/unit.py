"""A unit of work on its way between the event loop that awaits it and the thread that runs it."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from sqlalchemy import Connection


class Unit:
    """One call of `work(connection)`. Its outcome is set by the thread and told to the loop by `resolve_futures`.

    It runs in the context of its caller, so that what it writes down can name the request that it is done for.
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
        """Raises whatever the work raises."""
        return self._context.run(self._work, connection)

    @property
    def is_abandoned(self) -> bool:
        """Nobody waits for it any longer: cancelled, or past its deadline."""
        return self._future.done()

    def succeed(self, result: Any) -> None:
        self._result, self._failure = result, None

    def fail(self, failure: BaseException) -> None:
        self._result, self._failure = None, failure

    def _tell(self) -> None:
        if self._future.done():
            return
        if self._failure is None:
            self._future.set_result(self._result)
        elif isinstance(self._failure, StopIteration):  # a future cannot carry it
            self._future.set_exception(RuntimeError("the unit of work raised StopIteration"))
        else:
            self._future.set_exception(self._failure)


def resolve_futures(units: Iterable[Unit]) -> None:
    """Tell the waiting loops what became of these units; one wake-up for each loop, not for each unit."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Unit]] = {}
    for unit in units:
        by_loop.setdefault(unit._loop, []).append(unit)
    for loop, settled in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed, and nobody waits there any longer
            loop.call_soon_threadsafe(_tell_all, settled)


def _tell_all(units: list[Unit]) -> None:
    for unit in units:
        unit._tell()
