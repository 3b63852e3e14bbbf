"""A limit on concurrent logins, with a bounded queue in which every address has a share."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tallystick.errors import TemporarilyUnavailable


@dataclass(eq=False)
class _Waiter:
    site: str
    network: str
    admitted: asyncio.Future[None]


class ConcurrencyLimiter:
    """Admits at most `max_active` callers at the same time. At most `max_waiting` others wait in the queue.

    A free slot goes to the site that was served least recently, within it to the network that was served least
    recently, and then to the caller that came first. When the queue is full, a new caller replaces the last caller of
    the site (then network) with the most callers in the queue. The new caller is refused if its own site has as many.
    """

    def __init__(self, *, max_active: int, max_waiting: int) -> None:
        self._free_slots = max_active
        self._max_waiting = max_waiting
        self._queue: list[_Waiter] = []
        self._admissions = 0
        self._last_admission: dict[tuple[str, str], int] = {}
        """For each ("site", …) and ("network", …), the number of its last admission."""

    @asynccontextmanager
    async def slot(self, site: str, network: str) -> AsyncIterator[None]:
        """Wait for a slot and hold it. `network` is a part of `site`.

        Raises TemporarilyUnavailable if the queue is full, or if a caller of a site with fewer callers takes the place
        in the queue.
        """
        if self._free_slots:
            self._free_slots -= 1
        else:
            await self._wait(_Waiter(site, network, asyncio.get_running_loop().create_future()))
        try:
            yield
        finally:
            self._release_slot()

    async def _wait(self, waiter: _Waiter) -> None:
        self._queue.append(waiter)
        if len(self._queue) > self._max_waiting:
            self._drop_one()
        try:
            await waiter.admitted
        except asyncio.CancelledError:
            if waiter in self._queue:
                self._queue.remove(waiter)
            elif not waiter.admitted.cancelled() and waiter.admitted.exception() is None:
                self._release_slot()  # the waiter was cancelled after it got the slot and before it ran
            raise

    def _drop_one(self) -> None:
        """Refuse the last caller of the site and network with the most callers; among equals, the newest caller."""
        callers_of_site = Counter(waiter.site for waiter in self._queue)
        callers_of_network = Counter(waiter.network for waiter in self._queue)

        def share(position: int) -> tuple[int, int, int]:
            waiter = self._queue[position]
            return callers_of_site[waiter.site], callers_of_network[waiter.network], position

        dropped = self._queue.pop(max(range(len(self._queue)), key=share))
        if not dropped.admitted.done():
            dropped.admitted.set_exception(TemporarilyUnavailable("too many are waiting", retry_after=1))

    def _release_slot(self) -> None:
        waiters = [waiter for waiter in self._queue if not waiter.admitted.done()]  # a cancelled one removes itself
        if not waiters:
            self._free_slots += 1
            return
        admitted = min(waiters, key=self._last_admissions_of)  # among equals, the first in the queue
        self._queue.remove(admitted)
        self._admissions += 1
        number = self._admissions
        self._last_admission |= {("site", admitted.site): number, ("network", admitted.network): number}
        if len(self._last_admission) > 2 * (self._max_waiting + 1):
            self._forget_absent()
        admitted.admitted.set_result(None)

    def _last_admissions_of(self, waiter: _Waiter) -> tuple[int, int]:
        last = self._last_admission
        return last.get(("site", waiter.site), 0), last.get(("network", waiter.network), 0)

    def _forget_absent(self) -> None:
        """Bound the memory: keep admission numbers only of sites and networks that are in the queue."""
        present = {("site", waiter.site) for waiter in self._queue}
        present |= {("network", waiter.network) for waiter in self._queue}
        self._last_admission = {key: number for key, number in self._last_admission.items() if key in present}
