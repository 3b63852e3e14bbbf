"""The queue of logins: few are worked on at once, and each address has a share of the queue."""

import asyncio

import pytest

from auth_service.authentication.users.concurrency_limiter import ConcurrencyLimiter
from tallystick.errors import TemporarilyUnavailable


class Door:
    """Callers that hold their place until it is opened. `through`: who had a turn, in order."""

    def __init__(self, limiter: ConcurrencyLimiter) -> None:
        self.through: list[str] = []
        self.refused: list[str] = []
        self._turnstile = limiter
        self._open = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def send(self, name: str, site: str, network: str = "") -> asyncio.Task[None]:
        task = asyncio.create_task(self._go(name, site, network or site))
        self._tasks.append(task)
        await asyncio.sleep(0)
        return task

    async def open(self) -> None:
        self._open.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _go(self, name: str, site: str, network: str) -> None:
        try:
            async with self._turnstile.slot(site, network):
                self.through.append(name)
                await self._open.wait()
        except TemporarilyUnavailable:
            self.refused.append(name)


async def test_callers_of_one_address_are_admitted_in_order_and_a_few_at_once() -> None:
    door = Door(ConcurrencyLimiter(max_active=2, max_waiting=3))
    tasks = [await door.send(str(number), "a") for number in range(5)]
    assert door.through == ["0", "1"]
    await door.send("5", "a")
    assert door.refused == ["5"]
    tasks[2].cancel()  # a cancelled caller leaves its place in the queue to another
    await asyncio.sleep(0)
    await door.send("6", "a")
    await door.open()
    assert door.through == ["0", "1", "3", "4", "6"]


async def test_a_full_queue_of_one_address_makes_room_for_another() -> None:
    door = Door(ConcurrencyLimiter(max_active=1, max_waiting=4))
    for number in range(5):
        await door.send(f"a{number}", "a")
    await door.send("b", "b")
    await asyncio.sleep(0)
    assert door.refused == ["a4"]
    await door.open()
    assert door.through == ["a0", "a1", "b", "a2", "a3"] or door.through == ["a0", "b", "a1", "a2", "a3"]


async def test_addresses_take_turns() -> None:
    door = Door(ConcurrencyLimiter(max_active=1, max_waiting=10))
    for name in ("a0", "a1", "a2", "a3", "b0", "b1", "c0"):
        await door.send(name, name[0])
    await door.open()
    assert door.through == ["a0", "a1", "b0", "c0", "a2", "b1", "a3"]


async def test_the_networks_of_one_site_have_the_share_of_one_address() -> None:
    """65,536 /64s of one /48 do not count as so many callers; among themselves they take turns."""
    door = Door(ConcurrencyLimiter(max_active=1, max_waiting=6))
    for number in range(5):
        await door.send(f"a{number}", "site a", f"network {number}")
    await door.send("a4 again", "site a", "network 4")
    await door.send("b0", "b")
    await door.send("b1", "b")
    await asyncio.sleep(0)
    assert door.refused == ["a4 again"]
    await door.open()
    assert door.through == ["a0", "a1", "b0", "a2", "b1", "a3", "a4"]


async def test_when_all_have_one_place_the_newcomer_is_refused() -> None:
    door = Door(ConcurrencyLimiter(max_active=1, max_waiting=2))
    for name in ("a", "b", "c", "d"):
        await door.send(name, name)
    await asyncio.sleep(0)
    assert door.refused == ["d"]
    await door.open()
    assert door.through == ["a", "b", "c"]


async def test_a_place_that_comes_to_a_cancelled_caller_is_not_lost() -> None:
    limiter = ConcurrencyLimiter(max_active=1, max_waiting=2)
    first, second = Door(limiter), Door(limiter)
    await first.send("a", "a")
    cancelled = await second.send("b", "b")
    await second.send("c", "c")
    first._open.set()
    await asyncio.sleep(0)  # "a" leaves, and "b" has the place but has not run
    cancelled.cancel()
    await second.open()
    assert second.through in (["c"], ["b", "c"])
    async with limiter.slot("d", "d"):
        pass


async def test_callers_that_are_gone_are_not_remembered() -> None:
    limiter = ConcurrencyLimiter(max_active=1, max_waiting=2)
    for number in range(50):
        door = Door(limiter)
        await door.send("first", "first")
        await door.send("second", f"site {number}")
        await door.open()
    assert len(limiter._last_admission) <= 6


async def test_a_caller_beyond_the_queue_is_told_to_come_again() -> None:
    limiter = ConcurrencyLimiter(max_active=0, max_waiting=0)
    with pytest.raises(TemporarilyUnavailable):
        async with limiter.slot("a", "a"):
            pass
