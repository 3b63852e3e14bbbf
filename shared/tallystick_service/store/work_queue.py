"""A bounded queue of units of work, and the threads that run them."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from tallystick_service.store.errors import StoreUnavailable
from tallystick_service.store.unit import Unit


class Queue:
    """Units in the order of their arrival. None is the shutdown sentinel of one thread.

    It counts the units that wait or run, so that `WorkQueue` knows whether every thread has one. Once all threads have
    started, the count is not needed, and its lock would only cost time.
    """

    def __init__(self) -> None:
        self._units: SimpleQueue[Unit | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished = 0
        self.is_counting = True

    @property
    def waiting(self) -> int:
        return self._units.qsize()

    def put(self, unit: Unit | None) -> int:
        """Return how many units wait or run now, or 0 when the queue does not count."""
        if not self.is_counting:
            self._units.put(unit)
            return 0
        with self._lock:
            self._unfinished += unit is not None
            self._units.put(unit)
            return self._unfinished

    def get(self) -> Unit | None:
        """Wait for a unit."""
        return self._units.get()

    def get_nowait(self) -> Unit | None:
        """Raises queue.Empty."""
        return self._units.get_nowait()

    def done(self, units: int) -> None:
        """Called by the thread that has run `units`."""
        if self.is_counting:
            with self._lock:
                self._unfinished -= units


class WorkQueue:
    """Each thread runs `worker(queue)`, which returns when it takes None from the queue.

    The first thread starts at once. Each of the others, up to `threads`, starts when a unit arrives while every thread
    has one. A service without load therefore has few threads, and few connections to the database.
    """

    def __init__(self, name: str, worker: Callable[[Queue], None], *, threads: int, queue_size: int) -> None:
        self._name = name
        self._worker = worker
        self._queue = Queue()
        self._queue_size = queue_size
        self._max_threads = threads
        self._is_closed = False
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._start_thread()

    @property
    def waiting(self) -> int:
        """The number of units that no thread has started."""
        return self._queue.waiting

    def submit(self, unit: Unit) -> None:
        """Raises StoreUnavailable when the queue is full: a further unit would not run within its deadline."""
        with self._lock:  # a unit behind the shutdown sentinels would never run
            if self._is_closed:
                raise StoreUnavailable("the store is closed", outcome="refused")
            if self._queue.waiting >= self._queue_size:
                raise StoreUnavailable("too many requests wait for the store", outcome="refused")
            if self._queue.put(unit) > len(self._threads) < self._max_threads:
                with suppress(RuntimeError):  # no more threads can be started: the unit waits for one of the others
                    self._start_thread()

    def close(self, timeout: float) -> None:
        """Run the waiting units, then end the threads; blocks for at most `timeout` seconds."""
        with self._lock:
            self._is_closed = True
        for _ in self._threads:
            self._queue.put(None)
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _start_thread(self) -> None:
        # Daemons: a thread that waits for an unreachable database must not keep the process from exiting.
        name = f"store-{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._worker, args=(self._queue,), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)
        self._queue.is_counting = len(self._threads) < self._max_threads
