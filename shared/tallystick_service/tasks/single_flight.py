"""Concurrent calls for the same thing share one task."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """At most one running task for each key. All callers of a key get its result, or its exception.

    Iteration yields the keys of the running tasks, for callers that bound their number.
    """

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[V]] = {}
        self._detached: set[asyncio.Task[V]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[K]:
        return iter(self._running)

    def __contains__(self, key: object) -> bool:
        return key in self._running

    async def run(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """Wait for the running task of `key`, or for a new one that runs `work()`. Raises what `work` raises.

        A cancelled caller does not cancel the task that others wait for.
        """
        return await asyncio.shield(self.start(key, work))

    def start(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> asyncio.Task[V]:
        """Return the running task of `key`, or start one. To wait for it, use `run`."""
        task = self._running.get(key)
        if task is None or task.done():  # done: its callback `_end` has not run yet
            task = self._running[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._end(key, done))
        return task

    def detach(self, *keys: K) -> None:
        """The running tasks of these keys go on for those that wait, and the next caller starts a new one."""
        for key in keys:
            task = self._running.pop(key, None)
            if task is not None:
                self._detached.add(task)

    def is_current(self, key: K) -> bool:
        """Whether the calling code runs in the task of `key`. False in a task that was detached."""
        return self._running.get(key) is asyncio.current_task()

    async def aclose(self) -> None:
        """Cancel every running task and wait for its end."""
        tasks = [*self._running.values(), *self._detached]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, key: K, task: asyncio.Task[V]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        self._detached.discard(task)
        if not task.cancelled():
            task.exception()  # all callers may have been cancelled; asyncio would log an exception that nothing read
