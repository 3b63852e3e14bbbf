"""Concurrent calls with one key share one task, its result and its failure."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tallystick_service.tasks.single_flight import SingleFlight


class Fetch:
    """Counts its calls; each ends when `release` is set, with the number of the call."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.calls = 0
        self.release = asyncio.Event()
        self._failure = failure

    async def __call__(self) -> int:
        self.calls += 1
        call = self.calls
        await self.release.wait()
        if self._failure is not None:
            raise self._failure
        return call


async def begun(call: Callable[[], Awaitable[int]]) -> asyncio.Task[int]:
    async def run() -> int:
        return await call()

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_concurrent_calls_share_one_task_and_later_calls_start_another() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    fetch = Fetch()
    first = await begun(lambda: flights.run("a", fetch))
    second = await begun(lambda: flights.run("a", fetch))
    assert list(flights) == ["a"]
    fetch.release.set()
    assert (await first, await second) == (1, 1)
    assert "a" not in flights
    assert await flights.run("a", fetch) == 2


async def test_different_keys_run_concurrently() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    fetch = Fetch()
    tasks = [await begun(lambda key=key: flights.run(key, fetch)) for key in "ab"]  # type: ignore[misc]
    assert len(flights) == 2
    fetch.release.set()
    assert sorted(await asyncio.gather(*tasks)) == [1, 2]


async def test_a_failure_reaches_every_caller() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    fetch = Fetch(OSError("away"))
    tasks = [await begun(lambda: flights.run("a", fetch)) for _ in range(2)]
    fetch.release.set()
    assert [str(result) for result in await asyncio.gather(*tasks, return_exceptions=True)] == ["away", "away"]
    assert fetch.calls == 1


async def test_a_cancelled_caller_does_not_cancel_the_task_of_the_others() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    fetch = Fetch()
    first = await begun(lambda: flights.run("a", fetch))
    second = await begun(lambda: flights.run("a", fetch))
    first.cancel()
    await asyncio.wait([first])
    fetch.release.set()
    assert await second == 1


async def test_a_failure_without_a_waiting_caller_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    fetch = Fetch(OSError("away"))
    fetch.release.set()
    await asyncio.wait([flights.start("a", fetch)])
    assert not flights
    assert not caplog.records


async def test_a_detached_task_ends_for_its_callers_and_the_next_call_starts_another() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    fetch = Fetch()
    currents = []

    async def work() -> int:
        result = await fetch()
        currents.append((result, flights.is_current("a")))
        return result

    first = await begun(lambda: flights.run("a", work))
    flights.detach("a", "never started")
    second = await begun(lambda: flights.run("a", work))
    fetch.release.set()
    assert (await first, await second) == (1, 2)
    assert sorted(currents) == [(1, False), (2, True)]


async def test_closing_cancels_every_task() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    detached = flights.start("a", Fetch())
    flights.detach("a")
    running = flights.start("a", Fetch())
    await flights.aclose()
    assert detached.cancelled()
    assert running.cancelled()
    assert not flights
