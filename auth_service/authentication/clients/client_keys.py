"""The public keys of clients: their registered `jwks`, or the document at their `jwks_uri`."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from auth_service.authentication.clients.key_cache import CachedKeys, KeyCache, Keys, select_usable_keys
from auth_service.outgoing import OutgoingFailed, OutgoingRequests
from auth_service.outgoing.domains import domain_of
from auth_service.store.clients.clients import Client
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.strict_json import parse_object

FRESH_SECONDS = 300
"""Keys of at most this age are used without a new fetch. Older keys are used while a fetch runs in the background."""
STALE_SECONDS = 900
"""From this age on, keys are used only after an attempt to fetch them again."""
FETCH_COOLDOWN_SECONDS = 4
"""During this time after a fetch, an assertion that matches no key causes no second fetch for the same client."""
MAX_FETCHES = {"proven": 4, "new": 4, "failing": 2}
"""Concurrent fetches for self-registered clients, by kind: with a key that has verified an assertion; not fetched
before; last fetch failed. No kind delays another. Their sum is less than the outgoing connections for such clients,
because logout tokens and logos need connections, too."""
MAX_FETCHES_PER_DOMAIN = 2
"""Of these, the fetches from the hosts of one owner."""
MAX_BYTES = 64 * 1024
_RETRY_AFTER_SECONDS = 5
"""Sent when no fetch can start: a running fetch ends within this time."""

_log = logging.getLogger(__name__)


class ClientKeys:
    """Fetches the keys of each client at most once at a time. After a failed fetch the last good keys stay.

    A client whose keys cannot be fetched has none, so the response is `invalid_client`. If too many fetches for other
    clients are running, the response is 503 with Retry-After.
    """

    def __init__(self, outgoing: OutgoingRequests, clock: Clock) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._cache = KeyCache()
        self._fetches: dict[asyncio.Task[None], _FetchSlot | None] = {}

    async def cached(self, client: Client) -> Keys:
        """The keys of the client, fetched now if none are cached or they are older than STALE_SECONDS.

        Raises TemporarilyUnavailable if none are cached and too many other fetches are running.
        """
        cached = self._cache.entry(client)
        age = self._age(cached.fetched_at)
        if client.jwks_uri is not None and age >= FRESH_SECONDS and self._may_fetch(cached):
            self._start_fetch(client, cached, is_required=not cached.keys)
        if cached.fetching is not None and age >= STALE_SECONDS and not (cached.keys and cached.is_failing):
            await asyncio.shield(cached.fetching)  # a cancelled caller must not cancel the shared fetch
        return cached.keys

    async def refetched(self, client: Client) -> Keys | None:
        """The keys after a new fetch. None if the client has no `jwks_uri`, or the last fetch was a moment ago.

        Raises TemporarilyUnavailable if too many other fetches are running.
        """
        cached = self._cache.entry(client)
        if client.jwks_uri is None:
            return None
        if cached.fetching is None:
            if not self._may_fetch(cached):
                return None
            self._start_fetch(client, cached, is_required=True)
        if cached.fetching is not None:
            await asyncio.shield(cached.fetching)
        return cached.keys

    async def aclose(self) -> None:
        for fetch in self._fetches:
            fetch.cancel()
        await asyncio.gather(*self._fetches, return_exceptions=True)

    def mark_proven(self, client: Client) -> None:
        """Record that an assertion was signed with one of the client's keys, so that they stay cached longer."""
        self._cache.mark_proven(client)

    def _age(self, since: int | None) -> float:
        """Seconds. Infinite for None, and for a time in the future, which a clock that was set back leaves."""
        age = float("inf") if since is None else self._clock() - since
        return age if age >= 0 else float("inf")

    def _may_fetch(self, cached: CachedKeys) -> bool:
        return cached.fetching is None and self._age(cached.asked_at) >= FETCH_COOLDOWN_SECONDS

    def _start_fetch(self, client: Client, cached: CachedKeys, *, is_required: bool) -> None:
        """Start a fetch, if a slot is free. Raises TemporarilyUnavailable if it is required and no slot is free."""
        slot = None if client.is_declared else _slot_for(client, cached)
        if slot is not None and not self._is_free(slot):
            if is_required:
                raise TemporarilyUnavailable(
                    "the keys of too many clients are being fetched", retry_after=_RETRY_AFTER_SECONDS
                )
            return
        cached.asked_at = self._clock()
        cached.fetching = asyncio.create_task(self._fetch(client, cached))
        self._fetches[cached.fetching] = slot
        cached.fetching.add_done_callback(self._fetches.pop)

    def _is_free(self, slot: "_FetchSlot") -> bool:
        taken = [other for other in self._fetches.values() if other is not None]
        return (
            sum(other.kind == slot.kind for other in taken) < MAX_FETCHES[slot.kind]
            and sum(other.domain == slot.domain for other in taken) < MAX_FETCHES_PER_DOMAIN
        )

    async def _fetch(self, client: Client, cached: CachedKeys) -> None:
        try:
            response = await self._outgoing.get(
                client.jwks_uri or "",
                is_trusted=client.is_declared,
                accept="application/jwk-set+json, application/json",
                max_bytes=MAX_BYTES,
            )
            if response.status != 200:
                raise ValueError(f"the response has status {response.status}")
            cached.keys = select_usable_keys(parse_object(response.body))
            cached.fetched_at = self._clock()
            cached.is_failing = False
        except (OutgoingFailed, ValueError) as failure:
            if not cached.is_failing:  # log only the first of several failures
                cached.is_failing = True
                reason = failure if isinstance(failure, OutgoingFailed) else f"no JWK Set, {type(failure).__name__}"
                _log.warning(
                    "cannot fetch the keys of client %s, keeping %d: %s", client.client_id, len(cached.keys), reason
                )
        finally:
            cached.fetching = None
            cached.asked_at = self._clock()  # the cooldown counts from the end, because a fetch may take longer than it


@dataclass(frozen=True)
class _FetchSlot:
    """The kind and the domain whose limits a running fetch for a self-registered client counts towards."""

    kind: Literal["proven", "new", "failing"]
    domain: str


def _slot_for(client: Client, cached: CachedKeys) -> _FetchSlot:
    domain = domain_of(urlsplit(client.jwks_uri or "").hostname or "")
    if cached.is_proven:
        return _FetchSlot("proven", domain)
    return _FetchSlot("failing" if cached.is_failing else "new", domain)
