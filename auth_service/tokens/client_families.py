"""The token families with which clients act for themselves, cached for a second."""

import secrets
from dataclasses import dataclass

from auth_service.status_list.index_pool import StatusIndexPool
from auth_service.store.tokens import client_families
from auth_service.store.tokens.token_families import Family, FamilyLifetime
from auth_service.vocabulary.timing import FAMILY_CACHE_SECONDS
from tallystick.clock import Clock
from tallystick_service.store import Store

_MAX_CACHED = 10_000


@dataclass(frozen=True)
class _Cached:
    family: Family
    since: int
    """Unix seconds."""


class ClientFamilies:
    """One live family for each client that uses client_credentials. No row is written per token."""

    def __init__(self, store: Store, status_indexes: StatusIndexPool, clock: Clock, lifetime: FamilyLifetime) -> None:
        self._store = store
        self._status_indexes = status_indexes
        self._clock = clock
        self._lifetime = lifetime
        self._cached: dict[str, _Cached] = {}
        self._forgotten = 0

    async def get_or_create(self, client_id: str) -> Family | None:
        """The client's family, begun if it has none; None when the client is disabled. Raises StoreUnavailable."""
        cached, now = self._cached.get(client_id), self._clock()
        if (
            cached is not None and 0 <= now - cached.since < FAMILY_CACHE_SECONDS
        ):  # negative when the clock was set back
            return cached.family
        forgotten = self._forgotten
        family = await self._status_indexes.begin_family(
            lambda status_index: self._store.write(
                client_families.get_or_create_family,
                client_id,
                secrets.token_bytes(16),
                status_index,
                now=now,
                lifetime=self._lifetime,
            )
        )
        # A family that was revoked after this unit read it must not be cached: for a second, all new tokens would be
        # revoked ones.
        if family is not None and forgotten == self._forgotten:
            if len(self._cached) >= _MAX_CACHED:
                self._cached.clear()
            self._cached[client_id] = _Cached(family, now)
        return family

    def forget(self, client_id: str) -> None:
        """This process has revoked the client's family: its next token needs another one."""
        self._forgotten += 1
        self._cached.pop(client_id, None)
