"""The connection of a worker process to the parent that supervises it."""

import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

HEARTBEAT_INTERVAL = 1.0
"""Seconds between two heartbeats of a worker."""

PID = struct.Struct("=q")
"""The message of a worker on the ready pipe. Smaller than PIPE_BUF, so the bytes of two workers do not mix."""


class Heartbeats:
    """A counter for each worker, in memory that the processes share. A heartbeat is no system call."""

    def __init__(self, workers: int) -> None:
        # A file descriptor of -1: anonymous, and shared with every child (MAP_SHARED).
        self._counts = memoryview(mmap.mmap(-1, workers * 8)).cast("Q")

    def beat(self, number: int) -> None:
        self._counts[number] += 1

    def count(self, number: int) -> int:
        return self._counts[number]


@dataclass(frozen=True)
class Worker:
    """The identity of a worker process, and its means to report to its parent."""

    number: int
    """From 0. No two running workers have the same number. A new worker gets the number of one that has exited."""
    is_first_of_reload: bool
    """Whether this is the first worker with a configuration that the parent has read anew."""
    parent: int
    """A file descriptor that becomes readable when the parent process has ended."""
    _ready_pipe: int
    _heartbeats: Heartbeats

    def ready(self) -> None:
        """Tell the parent that this worker accepts connections."""
        os.write(self._ready_pipe, PID.pack(os.getpid()))

    def beat(self) -> None:
        """Tell the parent that the event loop runs. Call it every HEARTBEAT_INTERVAL once the worker is ready."""
        self._heartbeats.beat(self.number)


Run = Callable[[Worker], int]
"""Serves in a worker process, and returns its exit status."""
