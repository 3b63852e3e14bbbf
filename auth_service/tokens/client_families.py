"""The families under which clients act for themselves, remembered for a second."""

import secrets
from dataclasses import dataclass

from auth_service.status_list.index_reserve import StatusIndexes
from auth_service.store.tokens import client_families
from auth_service.store.tokens.token_families import Family, FamilyLifetime
from tallystick.clock import Clock
from tallystick_service.store import Store

_SECONDS = 1
_MOST = 10_000


@dataclass(frozen=True)
class _Known:
    family: Family
    since: int
    """Unix seconds."""


class OwnFamilies:
    """One live family for each client that uses client_credentials; no row is written for its many tokens."""

    def __init__(self, store: Store, status_indexes: StatusIndexes, clock: Clock, lifetime: FamilyLifetime) -> None:
        self._store = store
        self._status_indexes = status_indexes
        self._clock = clock
        self._lifetime = lifetime
        self._known: dict[str, _Known] = {}
        self._forgotten = 0

    async def of(self, client_id: str) -> Family | None:
        """The client's family, begun if there is none; None when the client is disabled. Raises StoreUnavailable."""
        known, now = self._known.get(client_id), self._clock()
        if known is not None and 0 <= now - known.since < _SECONDS:  # below 0 when somebody has set the clock back
            return known.family
        forgotten = self._forgotten
        async with self._status_indexes.drawn() as index:
            family = await self._store.write(
                client_families.find_or_begin,
                client_id,
                secrets.token_bytes(16),
                index,
                now=now,
                lifetime=self._lifetime,
            )
        if family is None or family.status_index != index:
            self._status_indexes.put_back(index)
        # Not one that was found alive just before it was revoked: the tokens of a whole second would be born dead.
        if family is not None and forgotten == self._forgotten:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[client_id] = _Known(family, now)
        return family

    def forget(self, client_id: str) -> None:
        """It was revoked by this process: the next token must be of another family."""
        self._forgotten += 1
        self._known.pop(client_id, None)
