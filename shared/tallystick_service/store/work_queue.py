"""A bounded queue of units, and the threads that work it off."""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from tallystick_service.store.errors import StoreUnavailable
from tallystick_service.store.unit import Unit

Queue = SimpleQueue[Unit | None]
"""Units in the order of their arrival. None sends one thread home."""


class WorkQueue:
    """Each of `threads` threads runs `worker(waiting)`, which returns when it takes None from the queue."""

    def __init__(self, name: str, worker: Callable[[Queue], None], *, threads: int, queue_size: int) -> None:
        self._waiting: Queue = SimpleQueue()
        self._queue_size = queue_size
        self._is_closed = False
        self._threads = [
            # Daemons: a thread stuck in a dead database must not keep the process from ending.
            threading.Thread(target=worker, args=(self._waiting,), name=f"store-{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many units no thread has begun with."""
        return self._waiting.qsize()

    def submit(self, unit: Unit) -> None:
        """Raises StoreUnavailable when the queue is full: more could not be served within the deadline anyway."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed", outcome="refused")
        if self._waiting.qsize() >= self._queue_size:
            raise StoreUnavailable("too many requests wait for the store", outcome="refused")
        self._waiting.put(unit)

    def close(self, patience: float) -> None:
        """Finish what waits and end the threads; blocks for at most `patience` seconds."""
        self._is_closed = True
        for _ in self._threads:
            self._waiting.put(None)
        end = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
