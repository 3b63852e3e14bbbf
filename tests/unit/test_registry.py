"""Clients and APIs as a process remembers them: few, for a moment, and not what cannot be one."""

import asyncio
import socket
from pathlib import Path

import pytest

from auth_service.clients.registry import Registry
from tallystick_service.store import Store, StoreUnavailable
from tallystick_service.store.migrations import migrate
from tests.support.auth_service import AuthService
from tests.support.patience import patient_store


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


async def test_what_cannot_be_a_clients_name_is_neither_looked_for_nor_remembered(auth: AuthService) -> None:
    registry = auth.app.state.provider.registry
    for name in ("", "a b", "é", "\U0001f600" * 20_000, "x" * 201, "line\nbreak"):
        assert await registry.client(name) is None
    assert not registry._clients._known
    assert not await registry.is_public_origin("https://" + "x" * 1000)
    assert not registry._origins._known


async def test_old_answers_do_not_pile_up(auth: AuthService, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = auth.app.state.provider.registry
    monkeypatch.setattr("auth_service.clients.registry._SECONDS", 0.0)
    for number in range(50):
        await registry.client(f"nobody-{number}")
    assert len(registry._clients._known) <= 1


async def test_the_apis_can_be_told_of_while_the_store_is_away(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/auth.db"
    migrate(url, "auth_service.migrations")
    store = patient_store(url)
    registry = Registry(store)
    told = await registry.now()
    await store.close()
    assert await registry.last_known() is told  # the answer of this second
    for _ in range(2):
        registry._apis.forget()
        assert await registry.last_known() is told
    with pytest.raises(StoreUnavailable):
        await registry.now()
    with pytest.raises(StoreUnavailable):
        await Registry(store).last_known()
