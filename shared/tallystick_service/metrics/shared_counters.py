"""The metrics of all processes of a service, in anonymous memory that they share.

prometheus-client maps a file for each process. A full disk then kills a writing process (SIGBUS), and every process
that ended leaves files behind. Here each process has a part of the memory. Its replacement continues with the same
part, so counters are kept and the memory does not grow.
"""

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass

CELLS_PER_PROCESS = 16_384
"""Numbers of 8 bytes in the part of one process. Pages that are never written to take no memory."""
_BYTES_PER_PROCESS = CELLS_PER_PROCESS * 8
_PID_CELL = 0
FIRST_FREE_CELL = 1


@dataclass(frozen=True)
class Part:
    """The numbers of one process. `pid` is 0 while no process serves that has this part."""

    number: int
    pid: int
    cells: Sequence[float]


class SharedCounters:
    """Create it before the fork. Each process then attaches to the part of its number.

    Several workers have one part more than their number, because a reload starts a new worker before it stops an old
    one. The numbers are from 0 to `processes` - 1.
    """

    def __init__(self, workers: int = 1) -> None:
        self.processes = workers + 1 if workers > 1 else 1
        # A file descriptor of -1: anonymous, and shared with every child (MAP_SHARED).
        self._cells = memoryview(mmap.mmap(-1, self.processes * _BYTES_PER_PROCESS)).cast("d")
        self._number: int | None = None

    def attach(self, number: int) -> None:
        """This process writes to the part of this number. Its gauges are not shown before `mark_alive`."""
        self._number = number

    def mark_alive(self) -> None:
        """This process serves, and has set its gauges: the part no longer has those of an earlier process."""
        self.own[_PID_CELL] = os.getpid()

    def mark_dead(self, number: int) -> None:
        """The process of this number has exited. Its counters stay; its gauges are no longer shown."""
        self._part(number)[_PID_CELL] = 0

    @property
    def own(self) -> "memoryview[float]":
        """The cells of this process, or part 0 if it has not attached. Only one thread may write to them."""
        if self._number is None:
            self.attach(0)
            self.mark_alive()
        return self._part(self._number or 0)

    def parts(self) -> list[Part]:
        """The numbers of all processes."""
        found = []
        for number in range(self.processes):
            cells = self._part(number).tolist()
            found.append(Part(number, int(cells[_PID_CELL]), cells))
        return found

    def _part(self, number: int) -> "memoryview[float]":
        return self._cells[number * CELLS_PER_PROCESS : (number + 1) * CELLS_PER_PROCESS]
