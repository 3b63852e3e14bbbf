"""Clients and APIs as this process remembers them: read from the store again after a second.

A token request must not cost a read of what changes once a month; a client that was disabled is refused everywhere
within that second.
"""

import asyncio
import time

from auth_service.store import registered
from auth_service.store.registered import Registered
from tallystick.store import Store

_SECONDS = 1.0


class Registry:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: Registered | None = None
        self._read_at = 0.0
        self._reading: asyncio.Task[Registered] | None = None

    async def now(self) -> Registered:
        """What is registered, at most a second old. Raises StoreUnavailable."""
        if self._known is not None and time.monotonic() - self._read_at < _SECONDS:
            return self._known
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self.read_now())
        # One read for all who wait, and one failure: taking turns at a dead store, the last would wait for minutes.
        return await asyncio.shield(self._reading)

    async def read_now(self) -> Registered:
        """Asks the store, however fresh the last answer is. Raises StoreUnavailable."""
        known = self._known = await self._store.read(registered.load)
        self._read_at = time.monotonic()
        return known
