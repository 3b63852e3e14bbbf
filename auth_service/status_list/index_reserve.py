"""The indexes of the status list that this process may give to new token families."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from auth_service.store.status_list import status_indexes
from auth_service.store.status_list.status_indexes import BLOCK
from auth_service.store.tokens import token_families
from auth_service.store.tokens.token_families import Family, StatusIndexTaken
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store

_RESERVED = 600
"""Seconds for which a block is ours."""
_LEFT_UNUSED = 120
"""Seconds before that when we stop using it: clocks differ."""
_PLACES = 16


class StatusIndexes:
    """A block at a time, reserved in the store; one index of it, at random, for each family."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._reserving: asyncio.Task[None] | None = None
        self._free: list[int] = []
        self._block = -1
        self._use_until = 0

    @asynccontextmanager
    async def drawn(self) -> AsyncIterator[int]:
        """An index that no living family has, for the one that is begun within.

        Raises TemporarilyUnavailable when there is none.
        """
        index = await self._draw()
        try:
            yield index
        except StatusIndexTaken:
            self._free.clear()  # somebody else hands out of our block
            raise

    def put_back(self, index: int) -> None:
        """It was not needed after all. One of a block that is ours no longer is somebody else's by now."""
        if index // BLOCK == self._block and index not in self._free:
            self._free.append(index)

    async def with_index(self, family: Family) -> Family | None:
        """The family, which may have begun before there were indexes, with one. None: it was revoked meanwhile."""
        async with self.drawn() as drawn:
            index = await self._store.write(token_families.give_status_index, family.family_id, drawn)
        if index != drawn:
            self.put_back(drawn)
        return None if index is None else replace(family, status_index=index)

    async def _draw(self) -> int:
        while not self._may_draw():
            # Of all who wait one asks, and all are told what came of it: else each would wait for its own time-out.
            if self._reserving is None or self._reserving.done():
                self._reserving = asyncio.create_task(self._reserve())
                self._reserving.add_done_callback(_heard)
            await asyncio.wait([self._reserving])  # who gives up does not take it along
            self._reserving.result()
        return self._free.pop()

    def _may_draw(self) -> bool:
        return bool(self._free) and self._use_until - _RESERVED < self._clock() < self._use_until

    async def _reserve(self) -> None:
        now = self._clock()
        reserved = await self._store.write(
            status_indexes.reserve,
            [secrets.randbits(62) for _ in range(_PLACES)],
            now=now,
            until=now + _RESERVED,
        )
        if reserved is None:
            raise TemporarilyUnavailable("the status list has no room for another token family")
        self._free = list(reserved.indexes)
        self._block = self._free[0] // BLOCK
        secrets.SystemRandom().shuffle(self._free)
        self._use_until = reserved.until - _LEFT_UNUSED


def _heard(reserving: asyncio.Task[None]) -> None:
    """Those who waited may all have gone, and asyncio would log a failure that nobody asked for."""
    if not reserving.cancelled():
        reserving.exception()
