"""The keys we sign with: which one signs now, which are published, which still check an `id_token_hint`."""

import asyncio
from collections.abc import Mapping

from auth_service.sealing import MasterKey
from auth_service.store import keys
from auth_service.store.keys import StoredKey
from auth_service.tokens.key_making import make_key, open_key
from auth_service.tokens.key_states import KeyStates, key_states
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.jwk import PublicKey, SigningKey
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
        self._states: KeyStates | None = None
        self._read_again_at = 0
        self._opened: dict[str, SigningKey] = {}

    async def signing_key(self, alg: str = "ES256") -> SigningKey:
        """The key that signs now. Raises TemporarilyUnavailable when there is none, or never was a store to ask."""
        states = await self._current()
        row = states.signing.get(alg)
        if row is None:
            raise TemporarilyUnavailable("there is no key to sign with")
        if row.kid not in self._opened:
            self._opened = {kid: key for kid, key in self._opened.items() if kid in states.published}
            self._opened[row.kid] = open_key(row, self._master_key)
        return self._opened[row.kid]

    @property
    def signing_since(self) -> Mapping[str, int]:
        """For each algorithm, since when (Unix seconds) the key signs that does, as this process saw it last."""
        return {alg: row.signs_from for alg, row in self._states.signing.items()} if self._states else {}

    async def jwks(self) -> bytes:
        """The published keys as a JWK Set (RFC 7517 §5): what will sign, what signs, what signed what still lives."""
        return (await self._current()).jwks

    async def verification_keys(self) -> Mapping[str, PublicKey]:
        """The published keys by kid, for our own access tokens."""
        return (await self._current()).published

    async def hint_keys(self) -> Mapping[str, PublicKey]:
        """Every key that was not withdrawn, by kid: an `id_token_hint` may be long expired (RP-Initiated Logout §2)."""
        return (await self._current()).believed

    async def rotate(self, alg: str = "ES256") -> str | None:
        """Publish a new key that will sign from `ahead` seconds on; its kid, or None when one waits already."""
        now = self._clock()
        key = await asyncio.to_thread(make_key, self._master_key, alg, published_at=now, signs_from=now + self._ahead)
        was_added = await self._store.write(keys.add, key)
        self._read_again_at = 0
        return key.kid if was_added else None

    async def withdraw(self, kid: str) -> bool:
        """Never again sign with, publish or believe a key. If it was the one that signs, a new one does so at once.

        False when there is no such key, or it was withdrawn before.
        """
        alg = next((row.alg for row in await self._store.read(keys.load_all) if row.kid == kid), None)
        if alg is None:
            return False
        now = self._clock()
        replacement = await asyncio.to_thread(make_key, self._master_key, alg, published_at=now, signs_from=now)
        was_withdrawn = await self._store.write(keys.withdraw, kid, replacement, now=now)
        self._read_again_at = 0
        return was_withdrawn

    async def _current(self) -> KeyStates:
        states = self._states
        while states is None or not states.at <= self._clock() < self._read_again_at:
            async with self._reading:
                if states is self._states:  # nobody has read while we waited for the lock
                    await self._read()
            states = self._states
        return states

    async def _read(self) -> None:
        good_for = _READ_AGAIN
        try:
            self._rows = await self._store.read(keys.load_all)
        except StoreUnavailable:
            # A key can only be withdrawn through the store; while it is away the last good keys are the right ones.
            if self._states is None:
                raise
            good_for = _RETRY
        now = self._clock()
        known = self._states.believed if self._states else {}
        self._states = key_states(self._rows, known, now=now, keep_published=self._keep_published)
        self._read_again_at = now + good_for
