"""A cache of clients' public keys, in partitions that do not evict each other's entries."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from auth_service.client_metadata.jwks import is_costly
from auth_service.store.clients.clients import Client
from tallystick.jwk import PublicKey, usable_keys

MAX_CLIENTS = 500
"""Entries in each partition. The least recently used is evicted first."""
MAX_KEYS = 20
"""Usable keys of one client, of the first MAX_ENTRIES in its JWK Set."""
MAX_ENTRIES = 100

Keys = tuple[PublicKey, ...]


@dataclass
class CachedKeys:
    """The keys of one client. `source` is the metadata that they come from. Times are Unix seconds."""

    source: object
    keys: Keys = ()
    fetched_at: int | None = None
    asked_at: int | None = None
    fetching: asyncio.Task[None] | None = None
    is_failing: bool = False
    """The last fetch failed."""
    is_proven: bool = False
    """One of the keys has verified an assertion."""


class KeyCache:
    """Four partitions: declared and self-registered clients, each proven or not.

    Any caller can make this service look up the keys of any client, by an assertion that names the client. Only a valid
    signature makes an entry proven. So callers without a key evict no proven entry, and self-registered clients evict
    no entry of a declared client.
    """

    def __init__(self) -> None:
        self._partitions: dict[tuple[bool, bool], OrderedDict[str, CachedKeys]] = {
            (is_declared, is_proven): OrderedDict() for is_declared in (True, False) for is_proven in (True, False)
        }

    def entry(self, client: Client) -> CachedKeys:
        """The entry of the client. A new one if there is none for its current metadata."""
        source = client.jwks, client.jwks_uri
        for is_proven in (True, False):
            partition = self._partitions[client.is_declared, is_proven]
            cached = partition.get(client.client_id)
            if cached is not None and cached.source == source:
                partition.move_to_end(client.client_id)
                return cached
        cached = CachedKeys(source, select_usable_keys(client.jwks) if client.jwks else ())
        self._put(client, cached)
        return cached

    def mark_proven(self, client: Client) -> None:
        """Record that an assertion of the client was signed with one of its keys."""
        cached = self.entry(client)
        if not cached.is_proven:
            self._partitions[client.is_declared, False].pop(client.client_id, None)
            cached.is_proven = True
            self._put(client, cached)

    def _put(self, client: Client, cached: CachedKeys) -> None:
        partition = self._partitions[client.is_declared, cached.is_proven]
        partition[client.client_id] = cached
        partition.move_to_end(client.client_id)
        if len(partition) > MAX_CLIENTS:
            partition.popitem(last=False)


def select_usable_keys(jwk_set: Mapping[str, object]) -> Keys:
    """The keys that this service can verify with, at most MAX_KEYS. Raises ValueError for a malformed JWK Set."""
    entries = jwk_set.get("keys")
    if isinstance(entries, list):
        jwk_set = {"keys": entries[:MAX_ENTRIES]}
    keys = usable_keys(jwk_set, kid_may_be_absent=True)
    return tuple(islice((key for key in keys if not is_costly(key)), MAX_KEYS))
