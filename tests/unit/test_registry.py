"""The registry caches few clients and APIs, for a second, and looks up no name that cannot exist."""

import asyncio
import socket
from pathlib import Path

import pytest

from auth_service.clients.registry import ClientRegistry
from tallystick_service.store import Store, StoreUnavailable
from tallystick_service.store.migrations import migrate
from tests.support.auth_service import AuthService
from tests.support.patience import patient_store


async def test_all_waiters_share_one_failed_read_of_the_store() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = Store.open(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/auth", pool_size=1, deadline=0.1)
        registry = ClientRegistry(store)
        waiting = [asyncio.create_task(registry.apis()) for _ in range(20)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert all(task.done() for task in waiting)
        assert all(isinstance(task.exception(), StoreUnavailable) for task in waiting)
        silent.close()
        await store.close()


async def test_malformed_client_ids_and_long_origins_are_neither_looked_up_nor_cached(auth: AuthService) -> None:
    registry = auth.app.state.provider.registry
    for name in ("", "a b", "é", "\U0001f600" * 20_000, "x" * 201, "line\nbreak"):
        assert await registry.client(name) is None
    assert not registry._clients._entries
    assert not await registry.is_public_origin("https://" + "x" * 1000)
    assert not registry._origins._entries


async def test_expired_entries_are_dropped(auth: AuthService, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = auth.app.state.provider.registry
    monkeypatch.setattr("auth_service.clients.registry.CLIENT_CACHE_SECONDS", 0.0)
    for number in range(50):
        await registry.client(f"unknown-{number}")
    assert len(registry._clients._entries) <= 1


async def test_cached_apis_are_available_without_the_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/auth.db"
    migrate(url, "auth_service.migrations")
    store = patient_store(url)
    registry = ClientRegistry(store)
    read = await registry.apis()
    await store.close()
    assert await registry.cached_apis() is read  # within the second of the cache
    for _ in range(2):
        registry._apis.forget()
        assert await registry.cached_apis() is read
    with pytest.raises(StoreUnavailable):
        await registry.apis()
    with pytest.raises(StoreUnavailable):
        await ClientRegistry(store).cached_apis()
