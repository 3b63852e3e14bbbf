"""The threads of a store start when they are needed."""

import asyncio
import threading
from collections.abc import Callable

from sqlalchemy import Connection

from tallystick_service.store.unit import Unit, resolve_futures
from tallystick_service.store.work_queue import Queue, WorkQueue
from tests.support.patience import PATIENCE

NO_CONNECTION: Connection = None  # type: ignore[assignment]


def work(queue: Queue) -> None:
    while (unit := queue.get()) is not None:
        unit.succeed(unit.work(NO_CONNECTION))
        queue.done(1)
        resolve_futures([unit])


async def submit(queue: WorkQueue, work: Callable[[Connection], object]) -> object:
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    queue.submit(Unit(work, future, writes=False))
    return await future


async def test_units_one_after_the_other_need_one_thread() -> None:
    queue = WorkQueue("test", work, threads=8, queue_size=8)
    names = {await submit(queue, lambda _: threading.current_thread().name) for _ in range(20)}
    queue.close(PATIENCE)
    assert names == {"store-test-0"}


async def test_units_at_the_same_time_run_in_a_thread_each_up_to_the_limit() -> None:
    queue = WorkQueue("test", work, threads=3, queue_size=8)
    meeting = threading.Barrier(3)  # a fourth unit would wait in vain without the other two of its round
    arrivals = [await_meeting(queue, meeting) for _ in range(6)]
    assert len({name for name, _ in await asyncio.gather(*arrivals)}) == 3
    queue.close(PATIENCE)


async def test_a_unit_that_hangs_delays_no_other() -> None:
    queue = WorkQueue("test", work, threads=2, queue_size=8)
    released = threading.Event()
    hanging = asyncio.ensure_future(submit(queue, lambda _: released.wait(PATIENCE)))
    await asyncio.sleep(0)
    assert [await submit(queue, lambda _: "done") for _ in range(5)] == ["done"] * 5
    released.set()
    assert await hanging
    queue.close(PATIENCE)


async def await_meeting(queue: WorkQueue, meeting: threading.Barrier) -> tuple[str, object]:
    async with asyncio.timeout(PATIENCE):
        result = await submit(queue, lambda _: (threading.current_thread().name, meeting.wait(PATIENCE)))
    assert isinstance(result, tuple)
    return result
