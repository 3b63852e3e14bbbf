"""Where the numbers of all processes of a service stand: memory that they share, without a file behind it.

prometheus-client's own way with several processes is a file for each, mapped into memory. A disk that is full kills a
process that writes to one (SIGBUS), and every process that ever died leaves some behind. Here each process has a part,
which its replacement takes over as it is: what was counted stays counted, and nothing grows.
"""

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass

CELLS = 16_384
"""Numbers (of 8 bytes) in the part of one process. Pages of it that nobody writes to cost nothing."""
_BYTES = CELLS * 8
_PID = 0
FIRST_FREE = 1


@dataclass(frozen=True)
class Part:
    """The numbers of one process at an instant; `pid` is 0 when there is none for now."""

    number: int
    pid: int
    cells: Sequence[float]


class SharedCounters:
    """Make it before the fork; each process then takes the part of its own number, from 0 to `processes` - 1."""

    def __init__(self, processes: int = 1) -> None:
        self.processes = processes
        # A file descriptor of -1: anonymous, and shared with every child (MAP_SHARED).
        self._all = memoryview(mmap.mmap(-1, processes * _BYTES)).cast("d")
        self._number: int | None = None

    def attach(self, number: int) -> None:
        """This process is the one with this number from now on."""
        self._number = number
        self.own[_PID] = os.getpid()

    def mark_dead(self, number: int) -> None:
        """The process with this number is dead: what it had counted stays, and it has no present state."""
        self._part(number)[_PID] = 0

    @property
    def own(self) -> "memoryview[float]":
        """The cells of this process; one that took no number is the first. Written by one thread alone."""
        if self._number is None:
            self.attach(0)
        return self._part(self._number or 0)

    def parts(self) -> list[Part]:
        """What all of them have counted so far."""
        found = []
        for number in range(self.processes):
            cells = self._part(number).tolist()
            found.append(Part(number, int(cells[_PID]), cells))
        return found

    def _part(self, number: int) -> "memoryview[float]":
        return self._all[number * CELLS : (number + 1) * CELLS]
