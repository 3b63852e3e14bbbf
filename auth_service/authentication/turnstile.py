"""Few at a time, so that a rush leaves room for others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tallystick.errors import TemporarilyUnavailable


class Turnstile:
    """Lets `at_once` through together and `waiting` wait, who get their turns in the order in which they came."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._here = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Raises TemporarilyUnavailable when too many wait already."""
        if self._here >= self._most:
            raise TemporarilyUnavailable("too many are waiting", retry_after=1)
        self._here += 1
        try:
            async with self._turns:
                yield
        finally:
            self._here -= 1
