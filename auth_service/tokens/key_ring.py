"""The keys we sign with: which one signs now, which are published, which still check an `id_token_hint`.

Nothing here is a state that somebody must remember to change. Of one algorithm the newest key with `signs_from` ≤ now
signs; it retires its predecessor, which stays published until the last token it signed has expired; a withdrawn key is
nobody's. So every process comes to the same answer from the same rows and the time.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from auth_service.sealing import MasterKey
from auth_service.store import keys
from auth_service.store.keys import StoredKey
from auth_service.tokens.key_making import make_key, open_key
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.jwk import PublicKey, SigningKey, parse_jwk_set
from tallystick.store import Store, StoreUnavailable

_READ_AGAIN = 1
"""Seconds for which the keys are remembered."""
_RETRY = 5
"""Seconds for which they are when the store is away, so that not every request waits for it in vain."""


class KeyRing:
    """The signing keys as one process sees them, read from the store at most once a second."""

    def __init__(self, store: Store, master_key: MasterKey, *, clock: Clock, ahead: int, keep_published: int) -> None:
        """Both in seconds: a new key is published `ahead` of its first signature, and a retired one for
        `keep_published` after its last: the longest lifetime of a token, and the leeway of those who verify."""
        self._store = store
        self._master_key = master_key
        self._clock = clock
        self._ahead = ahead
        self._keep_published = keep_published
        self._reading = asyncio.Lock()
        self._rows: list[StoredKey] = []
        self._view: _View | None = None
        self._read_again_at = 0
        self._opened: dict[str, SigningKey] = {}

    async def signing_key(self, alg: str = "ES256") -> SigningKey:
        """The key that signs now. Raises TemporarilyUnavailable when there is none, or never was a store to ask."""
        view = await self._now()
        row = view.signing.get(alg)
        if row is None:
            raise TemporarilyUnavailable("there is no key to sign with")
        if row.kid not in self._opened:
            self._opened = {kid: key for kid, key in self._opened.items() if kid in view.published}
            self._opened[row.kid] = open_key(row, self._master_key)
        return self._opened[row.kid]

    async def jwks(self) -> bytes:
        """The published keys as a JWK Set (RFC 7517 §5): what will sign, what signs, what signed what still lives."""
        return (await self._now()).jwks

    async def verification_keys(self) -> Mapping[str, PublicKey]:
        """The published keys by kid, for our own access tokens."""
        return (await self._now()).published

    async def hint_keys(self) -> Mapping[str, PublicKey]:
        """Every key that was not withdrawn, by kid: an `id_token_hint` may be long expired (RP-Initiated Logout §2)."""
        return (await self._now()).believed

    async def rotate(self) -> str | None:
        """Publish a new key that will sign from `ahead` seconds on; its kid, or None when one waits already."""
        now = self._clock()
        key = make_key(self._master_key, published_at=now, signs_from=now + self._ahead)
        was_added = await self._store.write(keys.add, key)
        self._read_again_at = 0
        return key.kid if was_added else None

    async def withdraw(self, kid: str) -> bool:
        """Never again sign with, publish or believe a key. If it was the one that signs, a new one does so at once.

        False when there is no such key, or it was withdrawn before.
        """
        now = self._clock()
        replacement = make_key(self._master_key, published_at=now, signs_from=now)
        was_withdrawn = await self._store.write(keys.withdraw, kid, replacement, now=now)
        self._read_again_at = 0
        return was_withdrawn

    async def _now(self) -> "_View":
        view = self._view
        while view is None or not view.at <= self._clock() < self._read_again_at:
            async with self._reading:
                if view is self._view:  # nobody has read while we waited for the lock
                    await self._read()
            view = self._view
        return view

    async def _read(self) -> None:
        good_for = _READ_AGAIN
        try:
            self._rows = await self._store.read(keys.load_all)
        except StoreUnavailable:
            # A key can only be withdrawn through the store; while it is away the last good keys are the right ones.
            if self._view is None:
                raise
            good_for = _RETRY
        now = self._clock()
        known = self._view.believed if self._view else {}
        self._view = _view(self._rows, known, now=now, keep_published=self._keep_published)
        self._read_again_at = now + good_for


@dataclass(frozen=True)
class _View:
    """What each key is good for at one instant."""

    at: int
    signing: Mapping[str, StoredKey]  # by alg
    published: Mapping[str, PublicKey]
    believed: Mapping[str, PublicKey]
    jwks: bytes


def _view(rows: list[StoredKey], known: Mapping[str, PublicKey], *, now: int, keep_published: int) -> _View:
    """`known` saves parsing again what was parsed before."""
    unpublished_at: dict[str, int] = {}
    signing: dict[str, StoredKey] = {}
    for alg in {row.alg for row in rows}:
        turns = _turns(row for row in rows if row.alg == alg)
        unpublished_at |= {row.kid: successor.signs_from + keep_published for row, successor in pairwise(turns)}
        begun = [row for row in turns if row.signs_from <= now]
        if begun and begun[-1].withdrawn_at is None:
            signing[alg] = begun[-1]
    believed = [row for row in rows if row.withdrawn_at is None]
    published = [row for row in believed if now < unpublished_at.get(row.kid, now + 1)]
    parsed = {**known, **parse_jwk_set(_jwk_set(row for row in believed if row.kid not in known))}
    return _View(
        at=now,
        signing=signing,
        published={row.kid: parsed[row.kid] for row in published},
        believed={row.kid: parsed[row.kid] for row in believed},
        jwks=_jwk_set(published),
    )


def _turns(rows: Iterable[StoredKey]) -> list[StoredKey]:
    """Of one algorithm, the keys that have signed or will, in order; at the same instant a withdrawn one gives way."""
    had_a_turn = (row for row in rows if row.withdrawn_at is None or row.withdrawn_at >= row.signs_from)
    return sorted(had_a_turn, key=lambda row: (row.signs_from, row.withdrawn_at is None, row.kid))


def _jwk_set(rows: Iterable[StoredKey]) -> bytes:
    return json.dumps({"keys": [row.public_jwk for row in rows]}).encode()
