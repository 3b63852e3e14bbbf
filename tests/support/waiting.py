"""Wait for events in the background, without a fixed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.support.patience import PATIENCE


async def until(condition: Callable[[], bool]) -> None:
    """Return once `condition()` is true. Raises TimeoutError if it does not become true in time."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the code under test has no event to wait for
            await asyncio.sleep(0.01)


async def until_it_is(condition: Callable[[], Awaitable[bool]]) -> None:
    """The same for an asynchronous condition."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


def wait_until(condition: Callable[[], bool]) -> None:
    """The same as `until`, for a test without an event loop."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
