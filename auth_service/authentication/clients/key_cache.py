"""What is known of clients' keys, in parts that do not push each other's entries out."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from auth_service.client_metadata.jwks import is_costly
from auth_service.store.clients.clients import Client
from tallystick.jwk import PublicKey, usable_keys

MAX_CLIENTS = 500
"""In each part; the least recently used go first."""
MAX_KEYS = 20
"""Of one client, and the first ones: no more than MAX_ENTRIES of its JWK Set are looked at."""
MAX_ENTRIES = 100

Keys = tuple[PublicKey, ...]


@dataclass
class KnownKeys:
    """What is known of one client's keys. Another `source` makes it worthless: the client has changed its metadata."""

    source: object
    keys: Keys = ()
    fetched_at: int | None = None
    asked_at: int | None = None
    fetching: asyncio.Task[None] | None = None
    is_away: bool = False
    is_proven: bool = False
    """One of the keys has verified an assertion."""


class KeyCache:
    """Four parts: declared clients and those that registered themselves, each proven or not.

    Every caller can make us look up any client's keys, by an assertion that names the client. Only a good signature
    makes an entry proven, so callers without a key evict none of those, and self-registered clients none of the
    declared.
    """

    def __init__(self) -> None:
        self._parts: dict[tuple[bool, bool], OrderedDict[str, KnownKeys]] = {
            (is_declared, is_proven): OrderedDict() for is_declared in (True, False) for is_proven in (True, False)
        }

    def recall(self, client: Client) -> KnownKeys:
        """The entry of the client, a new one if there is none for its present metadata."""
        source = client.jwks, client.jwks_uri
        for is_proven in (True, False):
            part = self._parts[client.is_declared, is_proven]
            known = part.get(client.client_id)
            if known is not None and known.source == source:
                part.move_to_end(client.client_id)
                return known
        known = KnownKeys(source, usable(client.jwks) if client.jwks else ())
        self._put(client, known)
        return known

    def prove(self, client: Client) -> None:
        """An assertion of the client was signed with one of its keys."""
        known = self.recall(client)
        if not known.is_proven:
            self._parts[client.is_declared, False].pop(client.client_id, None)
            known.is_proven = True
            self._put(client, known)

    def _put(self, client: Client, known: KnownKeys) -> None:
        part = self._parts[client.is_declared, known.is_proven]
        part[client.client_id] = known
        part.move_to_end(client.client_id)
        if len(part) > MAX_CLIENTS:
            part.popitem(last=False)


def usable(jwk_set: Mapping[str, object]) -> Keys:
    """The keys that we can use, at most MAX_KEYS. Raises ValueError for what is no JWK Set."""
    entries = jwk_set.get("keys")
    if isinstance(entries, list):
        jwk_set = {"keys": entries[:MAX_ENTRIES]}
    keys = usable_keys(jwk_set, kid_may_be_absent=True)
    return tuple(islice((key for key in keys if not is_costly(key)), MAX_KEYS))
