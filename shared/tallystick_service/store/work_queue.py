"""A bounded queue of units of work, and the threads that run them."""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from tallystick_service.store.errors import StoreUnavailable
from tallystick_service.store.unit import Unit

Queue = SimpleQueue[Unit | None]
"""Units in the order of their arrival. None is the shutdown sentinel of one thread."""


class WorkQueue:
    """Each of `threads` threads runs `worker(queue)`, which returns when it takes None from the queue."""

    def __init__(self, name: str, worker: Callable[[Queue], None], *, threads: int, queue_size: int) -> None:
        self._queue: Queue = SimpleQueue()
        self._queue_size = queue_size
        self._is_closed = False
        self._threads = [
            # Daemons: a thread that waits for an unreachable database must not keep the process from exiting.
            threading.Thread(target=worker, args=(self._queue,), name=f"store-{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """The number of units that no thread has started."""
        return self._queue.qsize()

    def submit(self, unit: Unit) -> None:
        """Raises StoreUnavailable when the queue is full: a further unit would not run within its deadline."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed", outcome="refused")
        if self._queue.qsize() >= self._queue_size:
            raise StoreUnavailable("too many requests wait for the store", outcome="refused")
        self._queue.put(unit)

    def close(self, timeout: float) -> None:
        """Run the waiting units, then end the threads; blocks for at most `timeout` seconds."""
        self._is_closed = True
        for _ in self._threads:
            self._queue.put(None)
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
