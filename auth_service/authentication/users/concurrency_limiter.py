"""A bounded queue for logins in which each caller has a share, so that one caller cannot keep the others out."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tallystick.errors import TemporarilyUnavailable


@dataclass(eq=False)
class _Waiting:
    site: str
    network: str
    turn: asyncio.Future[None]


class Turnstile:
    """Admits `at_once` callers together and lets `waiting` others wait.

    A free place goes to the site that was served least recently; within it to the network served least recently; then
    to the caller who came first. When the queue is full, a newcomer takes the place of the last caller of the site
    (and then network) with the most callers in the queue, unless the newcomer's own have as many.
    """

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._free = at_once
        self._room = waiting
        self._queue: list[_Waiting] = []
        self._turn = 0
        self._last_turn: dict[tuple[str, str], int] = {}

    @asynccontextmanager
    async def turn(self, site: str, network: str) -> AsyncIterator[None]:
        """Wait for a place and hold it. `network` is a part of `site`.

        Raises TemporarilyUnavailable at once when the queue is full, or later when the place is given to a caller of a
        site with fewer callers.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(_Waiting(site, network, asyncio.get_running_loop().create_future()))
        try:
            yield
        finally:
            self._leave()

    async def _wait(self, newcomer: _Waiting) -> None:
        self._queue.append(newcomer)
        if len(self._queue) > self._room:
            self._drop_one()
        try:
            await newcomer.turn
        except asyncio.CancelledError:
            if newcomer in self._queue:
                self._queue.remove(newcomer)
            elif not newcomer.turn.cancelled() and newcomer.turn.exception() is None:
                self._leave()  # the turn came at the same moment, and is not used
            raise

    def _drop_one(self) -> None:
        """Refuse the last caller of the largest share; between equal shares, the newcomer."""
        of_site = Counter(waiting.site for waiting in self._queue)
        of_network = Counter(waiting.network for waiting in self._queue)

        def share(position: int) -> tuple[int, int, int]:
            waiting = self._queue[position]
            return of_site[waiting.site], of_network[waiting.network], position

        dropped = self._queue.pop(max(range(len(self._queue)), key=share))
        if not dropped.turn.done():
            dropped.turn.set_exception(TemporarilyUnavailable("too many are waiting", retry_after=1))

    def _leave(self) -> None:
        waiting = [each for each in self._queue if not each.turn.done()]  # a cancelled one takes itself out
        if not waiting:
            self._free += 1
            return
        admitted = min(waiting, key=self._turns_of)  # of equal ones, the first in the queue
        self._queue.remove(admitted)
        self._turn += 1
        self._last_turn |= {("site", admitted.site): self._turn, ("network", admitted.network): self._turn}
        if len(self._last_turn) > 2 * (self._room + 1):
            self._forget_absent()
        admitted.turn.set_result(None)

    def _turns_of(self, waiting: _Waiting) -> tuple[int, int]:
        return self._last_turn.get(("site", waiting.site), 0), self._last_turn.get(("network", waiting.network), 0)

    def _forget_absent(self) -> None:
        """Keep no more numbers than there are callers in the queue, however many sites there have been."""
        present = {("site", waiting.site) for waiting in self._queue}
        present |= {("network", waiting.network) for waiting in self._queue}
        self._last_turn = {name: turn for name, turn in self._last_turn.items() if name in present}
