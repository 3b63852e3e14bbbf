"""Waiting for what happens in the background, without a guess at how long it takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.support.patience import PATIENCE


async def until(condition: Callable[[], bool]) -> None:
    """Return once `condition()` is true. Raises TimeoutError when it never is."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the code under test has no event to tell us by, and needs none
            await asyncio.sleep(0.01)


async def until_it_is(condition: Callable[[], Awaitable[bool]]) -> None:
    """The same for what has to be asked for."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


def wait_until(condition: Callable[[], bool]) -> None:
    """As `until`, for a test that has no event loop."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
