"""Few go through at a time; the others wait in order, and not too many of them."""

import asyncio

import pytest

from auth_service.authentication.turnstile import Turnstile
from tallystick.errors import TemporarilyUnavailable


async def test_few_go_through_at_once_and_the_others_in_the_order_of_their_coming() -> None:
    turnstile = Turnstile(at_once=2, waiting=3)
    door = asyncio.Event()
    through: list[int] = []

    async def go(number: int) -> None:
        async with turnstile.turn():
            through.append(number)
            await door.wait()

    going = [asyncio.create_task(go(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert through == [0, 1]
    with pytest.raises(TemporarilyUnavailable):
        await go(5)
    going[2].cancel()  # who gives up leaves the place to another
    await asyncio.sleep(0)
    going.append(asyncio.create_task(go(6)))
    door.set()
    await asyncio.gather(*going, return_exceptions=True)
    assert through == [0, 1, 3, 4, 6]
