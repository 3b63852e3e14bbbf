"""The limit on concurrent logins, and the share of each address in the queue."""

import asyncio

import pytest

from auth_service.authentication.users.concurrency_limiter import ConcurrencyLimiter
from tallystick.errors import TemporarilyUnavailable


class Callers:
    """Callers that hold their slots until `release`. `admitted` and `refused` hold their names in order."""

    def __init__(self, limiter: ConcurrencyLimiter) -> None:
        self.admitted: list[str] = []
        self.refused: list[str] = []
        self._turnstile = limiter
        self._released = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def send(self, name: str, site: str, network: str = "") -> asyncio.Task[None]:
        task = asyncio.create_task(self._go(name, site, network or site))
        self._tasks.append(task)
        await asyncio.sleep(0)
        return task

    async def release(self) -> None:
        self._released.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _go(self, name: str, site: str, network: str) -> None:
        try:
            async with self._turnstile.slot(site, network):
                self.admitted.append(name)
                await self._released.wait()
        except TemporarilyUnavailable:
            self.refused.append(name)


async def test_callers_of_one_address_are_admitted_in_order_up_to_the_limit() -> None:
    callers = Callers(ConcurrencyLimiter(max_active=2, max_waiting=3))
    tasks = [await callers.send(str(number), "a") for number in range(5)]
    assert callers.admitted == ["0", "1"]
    await callers.send("5", "a")
    assert callers.refused == ["5"]
    tasks[2].cancel()  # which frees its place in the queue
    await asyncio.sleep(0)
    await callers.send("6", "a")
    await callers.release()
    assert callers.admitted == ["0", "1", "3", "4", "6"]


async def test_caller_of_another_address_replaces_the_last_of_a_full_queue() -> None:
    callers = Callers(ConcurrencyLimiter(max_active=1, max_waiting=4))
    for number in range(5):
        await callers.send(f"a{number}", "a")
    await callers.send("b", "b")
    await asyncio.sleep(0)
    assert callers.refused == ["a4"]
    await callers.release()
    assert callers.admitted == ["a0", "a1", "b", "a2", "a3"] or callers.admitted == ["a0", "b", "a1", "a2", "a3"]


async def test_slots_go_to_addresses_in_turn() -> None:
    callers = Callers(ConcurrencyLimiter(max_active=1, max_waiting=10))
    for name in ("a0", "a1", "a2", "a3", "b0", "b1", "c0"):
        await callers.send(name, name[0])
    await callers.release()
    assert callers.admitted == ["a0", "a1", "b0", "c0", "a2", "b1", "a3"]


async def test_networks_of_one_site_share_the_slots_of_one_address() -> None:
    """The 65,536 /64s of one /48 together have the share of one caller, and take turns among themselves."""
    callers = Callers(ConcurrencyLimiter(max_active=1, max_waiting=6))
    for number in range(5):
        await callers.send(f"a{number}", "site a", f"network {number}")
    await callers.send("a4 again", "site a", "network 4")
    await callers.send("b0", "b")
    await callers.send("b1", "b")
    await asyncio.sleep(0)
    assert callers.refused == ["a4 again"]
    await callers.release()
    assert callers.admitted == ["a0", "a1", "b0", "a2", "b1", "a3", "a4"]


async def test_newest_caller_is_refused_when_every_site_has_one_place() -> None:
    callers = Callers(ConcurrencyLimiter(max_active=1, max_waiting=2))
    for name in ("a", "b", "c", "d"):
        await callers.send(name, name)
    await asyncio.sleep(0)
    assert callers.refused == ["d"]
    await callers.release()
    assert callers.admitted == ["a", "b", "c"]


async def test_slot_given_to_a_cancelled_caller_is_released() -> None:
    limiter = ConcurrencyLimiter(max_active=1, max_waiting=2)
    first, second = Callers(limiter), Callers(limiter)
    await first.send("a", "a")
    cancelled = await second.send("b", "b")
    await second.send("c", "c")
    first._released.set()
    await asyncio.sleep(0)  # "a" has left, and "b" has the slot but has not run
    cancelled.cancel()
    await second.release()
    assert second.admitted in (["c"], ["b", "c"])
    async with limiter.slot("d", "d"):
        pass


async def test_admissions_of_absent_callers_are_forgotten() -> None:
    limiter = ConcurrencyLimiter(max_active=1, max_waiting=2)
    for number in range(50):
        callers = Callers(limiter)
        await callers.send("first", "first")
        await callers.send("second", f"site {number}")
        await callers.release()
    assert len(limiter._last_admission) <= 6


async def test_caller_is_refused_when_there_is_no_queue() -> None:
    limiter = ConcurrencyLimiter(max_active=0, max_waiting=0)
    with pytest.raises(TemporarilyUnavailable):
        async with limiter.slot("a", "a"):
            pass
