"""The status indexes that this process may give to new token families."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from auth_service.store.status_list import status_indexes
from auth_service.store.status_list.status_indexes import BLOCK
from auth_service.store.tokens import token_families
from auth_service.store.tokens.token_families import Family, StatusIndexTaken
from auth_service.vocabulary.timing import BLOCK_LEASE, BLOCK_LEASE_UNUSED
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store
from tallystick_service.tasks.single_flight import SingleFlight

_PLACES = 16
"""Random blocks that a reservation examines for free indexes."""

Outcome = TypeVar("Outcome")


class StatusIndexPool:
    """Reserves a block of indexes in the store, and hands out the free ones in random order."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._reserving: SingleFlight[None, None] = SingleFlight()
        self._free: list[int] = []
        self._block = -1
        self._use_until = 0

    async def begin_family(self, unit: Callable[[int], Awaitable[Outcome]]) -> Outcome:
        """Run `unit` with a reserved index, and release the index unless the result is a family that has it.

        When `unit` raises, the index is not released, because the write may have been done. Raises what `unit` raises,
        and TemporarilyUnavailable when no index is free.
        """
        index = await self.reserve()
        try:
            outcome = await unit(index)
        except StatusIndexTaken:
            self._free.clear()  # another process hands out indexes of this block
            raise
        if not (isinstance(outcome, Family) and outcome.status_index == index):
            self.release(index)
        return outcome

    async def give_index(self, family: Family) -> Family | None:
        """Give an index to a family of an earlier release, which has none. None: the family was revoked meanwhile."""

        async def unit(index: int) -> Family | None:
            given = await self._store.write(token_families.give_status_index, family.family_id, index)
            return None if given is None else replace(family, status_index=given)

        return await self.begin_family(unit)

    async def reserve(self) -> int:
        """An index that belongs to no live family. Raises TemporarilyUnavailable when there is none."""
        while not self._has_room():
            # One waiter reserves a block and all share the result; else each would wait for its own timeout.
            await self._reserving.run(None, self._reserve_block)
        return self._free.pop()

    def release(self, index: int) -> None:
        """Return an unused index. Indexes of earlier blocks are dropped: another process may have reserved them."""
        if index // BLOCK == self._block and index not in self._free:
            self._free.append(index)

    def _has_room(self) -> bool:
        return bool(self._free) and self._use_until - BLOCK_LEASE < self._clock() < self._use_until

    async def _reserve_block(self) -> None:
        now = self._clock()
        reserved = await self._store.write(
            status_indexes.reserve_block,
            [secrets.randbits(62) for _ in range(_PLACES)],
            now=now,
            until=now + BLOCK_LEASE,
        )
        if reserved is None:
            raise TemporarilyUnavailable("the status list has no room for another token family")
        self._free = list(reserved.indexes)
        self._block = self._free[0] // BLOCK
        secrets.SystemRandom().shuffle(self._free)
        self._use_until = reserved.until - BLOCK_LEASE_UNUSED
