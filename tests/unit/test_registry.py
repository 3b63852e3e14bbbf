"""Clients and APIs as a process remembers them, while the store is away."""

import asyncio
import socket

from auth_service.registry import Registry
from tallystick.store import Store, StoreUnavailable


async def test_all_who_wait_for_a_store_that_does_not_answer_hear_of_it_together() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = Store.open(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/auth", pool_size=1, deadline=0.1)
        registry = Registry(store)
        waiting = [asyncio.create_task(registry.now()) for _ in range(20)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert all(task.done() for task in waiting)
        assert all(isinstance(task.exception(), StoreUnavailable) for task in waiting)
        silent.close()
        await store.close()
