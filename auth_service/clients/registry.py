"""Clients and APIs as this process caches them: each answer is read from the store again after one second.

A token request needs no read of rows that seldom change. A client that is disabled is refused everywhere within that
second.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from auth_service.store.clients import apis, clients
from auth_service.store.clients.apis import Apis
from auth_service.store.clients.clients import Client
from auth_service.vocabulary.timing import CLIENT_CACHE_SECONDS
from tallystick_service.store import Store, StoreUnavailable
from tallystick_service.tasks.single_flight import SingleFlight

_RETRY_INTERVAL = 5.0
"""Seconds between two reads of the APIs while the store is unavailable, so that most callers do not wait for it."""
_MAX_CACHED = 2_000
"""Cached answers of one kind. Unauthenticated callers choose the keys, so their number needs a bound."""

_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,200}")
_MAX_ORIGIN_CHARACTERS = 300

K = TypeVar("K")
V = TypeVar("V")


class ClientRegistry:
    """Each method but `cached_apis` raises StoreUnavailable if it has to ask the store and the store is unavailable."""

    def __init__(self, store: Store) -> None:
        self._last_apis: Apis | None = None
        self._retry_at = 0.0
        self._apis: _Cache[None, Apis] = _Cache(lambda _: store.read(apis.load_apis))
        self._clients: _Cache[str, Client | None] = _Cache(lambda client_id: store.read(clients.find_client, client_id))
        self._origins: _Cache[str, bool] = _Cache(lambda origin: store.read(clients.is_public_origin, origin))

    async def apis(self) -> Apis:
        """The APIs as they were at most a second ago."""
        self._last_apis = await self._apis.get(None)
        return self._last_apis

    async def cached_apis(self) -> Apis:
        """The APIs for display, not for decisions: while the store is unavailable they may be of any age.

        Raises StoreUnavailable when this process has never read them.
        """
        if self._last_apis is not None and time.monotonic() < self._retry_at:
            return self._last_apis
        try:
            return await self.apis()
        except StoreUnavailable:
            if self._last_apis is None:
                raise
            self._retry_at = time.monotonic() + _RETRY_INTERVAL
            return self._last_apis

    async def client(self, client_id: str) -> Client | None:
        """The client as it was at most a second ago; None when it does not exist or is disabled."""
        if not _CLIENT_ID.fullmatch(client_id):
            return None
        return await self._clients.get(client_id)

    async def is_public_origin(self, origin: str) -> bool:
        """Whether a public client has pages at this web origin."""
        if len(origin) > _MAX_ORIGIN_CHARACTERS:
            return False
        return await self._origins.get(origin)

    async def reload(self) -> Apis:
        """Empty the caches and read the APIs from the store."""
        for cache in (self._apis, self._clients, self._origins):
            cache.forget()
        return await self.apis()

    def forget(self, client_id: str) -> None:
        """Drop the cached client after this process has changed it."""
        self._clients.forget(client_id)
        self._origins.forget()


class _Cache(Generic[K, V]):
    """Results of `load` by key, for one second each. If there are too many, the oldest are dropped first."""

    def __init__(self, load: Callable[[K], Awaitable[V]]) -> None:
        self._load = load
        self._entries: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._loading: SingleFlight[K, V] = SingleFlight()

    async def get(self, key: K) -> V:
        entry = self._entries.get(key)
        if entry is not None and time.monotonic() - entry[1] < CLIENT_CACHE_SECONDS:
            return entry[0]
        # All waiters share one read, and its failure: one read after another would add up their time-outs.
        return await self._loading.run(key, lambda: self._load_entry(key))

    def forget(self, *keys: K) -> None:
        """Drop these entries, or all. The result of a read that is running is not cached."""
        for key in keys or [*self._entries, *self._loading]:
            self._entries.pop(key, None)
            self._loading.detach(key)

    async def _load_entry(self, key: K) -> V:
        value = await self._load(key)
        if self._loading.is_current(key):
            self._entries[key] = value, time.monotonic()
            self._entries.move_to_end(key)
            self._drop_old_entries()
        return value

    def _drop_old_entries(self) -> None:
        """Drop expired entries, and the oldest ones beyond _MAX_CACHED. Entries are in the order of their reads."""
        expired = time.monotonic() - CLIENT_CACHE_SECONDS
        while self._entries:
            _, read_at = next(iter(self._entries.values()))
            if read_at > expired and len(self._entries) <= _MAX_CACHED:
                return
            self._entries.popitem(last=False)
