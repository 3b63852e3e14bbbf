"""The signing keys of a process: the one that signs, the published ones, and those that verify an `id_token_hint`."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

from auth_service.keys.generation import decrypt_key
from auth_service.keys.key_changes import KeyChanges
from auth_service.keys.lifecycle import KeyStates, key_states, keys_to_delete, keys_to_destroy
from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.keys.master_key_rotation import ReloadingMasterKey
from auth_service.settings.settings import Lifetimes
from auth_service.store.keys import signing_keys
from auth_service.store.keys.signing_keys import DESTROYED, StoredKey
from auth_service.vocabulary.algorithms import SIGNING_ALGS
from auth_service.vocabulary.timing import KEY_CACHE_SECONDS, KEY_SEEN_SECONDS, MAX_CLOCK_SKEW
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.jwk import PublicKey, SigningKey
from tallystick_service.store import Store, StoreUnavailable

_log = logging.getLogger(__name__)

_RETRY_INTERVAL = 5
"""Seconds for which the states are used while the store is unavailable, so that most requests do not wait for it."""


class KeyRing:
    """The signing keys as one process sees them, read from the store at most once a second."""

    def __init__(
        self,
        store: Store,
        master_key: MasterKey,
        *,
        clock: Clock,
        ahead: int,
        keep_published: int,
        lifetime: int,
        remembered: int,
    ) -> None:
        """All times are in seconds.

        `ahead`: from the publication of a key to its first signature. `keep_published`: from its last signature until
        it leaves /jwks, which is the longest lifetime of a token and the leeway of verifiers. `lifetime`: how long a
        key signs; 0 means until a command rotates it. `remembered`: how long a retired key verifies hints.
        """
        self._store = store
        self._master_key = ReloadingMasterKey(master_key, clock)
        self._changes = KeyChanges(store, self._master_key, clock, keep_published=keep_published)
        self._clock = clock
        self._ahead = ahead
        self._lifetime = lifetime
        self._remembered = remembered
        self._reading = asyncio.Lock()
        self._rows: list[StoredKey] = []
        self._states: KeyStates | None = None
        self._states_expire_at = 0
        self._is_failing = False
        self._seen_since: dict[str, int] = {}
        self._decrypted: dict[str, SigningKey] = {}
        self._undecryptable: set[str] = set()
        """The kids for which a failed decryption is already logged."""

    @classmethod
    def from_lifetimes(cls, store: Store, master_key: MasterKey, clock: Clock, lifetimes: Lifetimes) -> Self:
        return cls(
            store,
            master_key,
            clock=clock,
            ahead=lifetimes.signing_key_ahead,
            keep_published=lifetimes.signing_key_after,
            lifetime=lifetimes.signing_key,
            remembered=lifetimes.signing_key_remembered,
        )

    async def signing_key(self, alg: str = "ES256") -> SigningKey:
        """The key that signs now.

        Raises TemporarilyUnavailable when there is none, when it cannot be decrypted, or when this process has never
        reached the store.
        """
        states = await self._current()
        row = self._signing_row(alg, states)
        if row is None:
            raise TemporarilyUnavailable("there is no key to sign with")
        return self._decrypted.get(row.kid) or await self._decrypt(row, states)

    @property
    def signing_since(self) -> Mapping[str, int]:
        """When the signing key of each algorithm started to sign (Unix seconds), without a read of the store."""
        by_alg = self._states.by_alg if self._states else {}
        return {alg: keys.signing.signs_from for alg, keys in by_alg.items() if keys.signing is not None}

    async def jwks(self) -> bytes:
        """The published keys as a JWK Set (RFC 7517 §5)."""
        return (await self._current()).jwks

    async def verification_keys(self) -> Mapping[str, PublicKey]:
        """The published keys by kid, for our own access tokens."""
        return (await self._current()).published

    async def hint_keys(self) -> Mapping[str, PublicKey]:
        """Every key that was not withdrawn, by kid: an `id_token_hint` may have expired (RP-Initiated Logout §2)."""
        return (await self._current()).trusted_for_hints

    async def rotate(self, alg: str = "ES256", *, after: str | None = None) -> str | None:
        """Publish a key that will sign in `ahead` seconds, and return its kid; None when one is published already.

        Also None when `after` is given and is not the newest kid. Raises WrongMasterKey.
        """
        kid = await self._changes.rotate(alg, ahead=self._ahead, after=after)
        self._expire_states()
        if kid is not None:
            self._seen_since[kid] = self._clock()
        return kid

    async def withdraw(self, kid: str) -> bool:
        """Never again sign with, publish or trust a key. If it is the one that signs, a new one replaces it now.

        False when there is no such key, or it is withdrawn already. Raises WrongMasterKey.
        """
        was_withdrawn = await self._changes.withdraw(kid)
        self._expire_states()
        return was_withdrawn

    async def maintain(self) -> None:
        """Decrypt the keys that will sign, publish successors that are due, and clean up. Called every few seconds.

        Several processes may call this at the same time: each change is made once. Raises StoreUnavailable, and
        WrongMasterKey when a successor cannot be encrypted.
        """
        if self._is_failing:  # requests use the states of the last good read for a while; this does not
            await self._read_once_after(self._states)
        states = await self._current()
        for row in states.in_service:
            if row.kid not in self._decrypted:
                with suppress(TemporarilyUnavailable):  # already logged; the other keys still need the rest of this
                    await self._decrypt(row, states)
        if await self._changes.extend_publication(states):
            self._expire_states()
        for alg in SIGNING_ALGS:
            await self._add_missing(alg, states)
            await self._rotate_if_due(alg, states)
        await self._clean_up(states)

    async def _add_missing(self, alg: str, states: KeyStates) -> None:
        """A withdrawal by a process with a wrong clock can leave an algorithm without a key."""
        if states.of_alg(alg).signing is None:
            await self._changes.add_first(alg)
            self._expire_states()

    async def _rotate_if_due(self, alg: str, states: KeyStates) -> None:
        keys, due_at = states.of_alg(alg), states.due_at(alg, self._lifetime)
        if keys.signing is None or keys.next is not None or due_at is None or states.at < due_at - self._ahead:
            return
        kid = await self.rotate(alg, after=keys.signing.kid)
        if kid is not None:
            _log.info("published the signing key %s for %s, which is due", kid, alg)

    async def _clean_up(self, states: KeyStates) -> None:
        to_destroy = keys_to_destroy(self._rows, now=states.at)
        to_delete = keys_to_delete(self._rows, now=states.at, remembered=self._remembered)
        if to_destroy or to_delete:
            await self._store.write(signing_keys.clean_up, to_destroy=to_destroy, to_delete=to_delete)
            self._expire_states()

    def _signing_row(self, alg: str, states: KeyStates) -> StoredKey | None:
        """The key that signs by the stored rows; its predecessor while this process has only just seen the new key.

        The predecessor signs only if it is still published and has its private half.
        """
        keys = states.of_alg(alg)
        row, previous = keys.signing, keys.previous
        if row is None or previous is None:
            return row
        if previous.kid not in states.published or previous.private_key == DESTROYED:
            return row
        seen_for = self._clock() - self._seen_since.get(row.kid, 0)
        return previous if 0 <= seen_for < KEY_SEEN_SECONDS else row

    async def _decrypt(self, row: StoredKey, states: KeyStates) -> SigningKey:
        try:
            key = await self._master_key.use(lambda master_key: asyncio.to_thread(decrypt_key, row, master_key))
        except WrongMasterKey as wrong:
            if row.kid not in self._undecryptable:  # logged once, not at each attempt
                self._undecryptable.add(row.kid)
                _log.error("%s", wrong)
            raise TemporarilyUnavailable("the key to sign with cannot be decrypted") from wrong
        self._undecryptable.clear()
        self._decrypted = {kid: key for kid, key in self._decrypted.items() if kid in states.published} | {row.kid: key}
        return key

    def _expire_states(self) -> None:
        """Read the keys again at the next use."""
        self._states_expire_at = 0

    async def _current(self) -> KeyStates:
        while (states := self._states) is None or not states.at <= self._clock() < self._states_expire_at:
            await self._read_once_after(states)
        return states

    async def _read_once_after(self, states: KeyStates | None) -> None:
        """Read the keys, unless another task has done so since `states` were read."""
        async with self._reading:
            if states is self._states:
                await self._read()

    async def _read(self) -> None:
        valid_for = KEY_CACHE_SECONDS
        try:
            self._rows = await self._store.read(signing_keys.load_all)
            self._is_failing = False
        except StoreUnavailable:
            # A key is withdrawn through the store only, so the rows of the last good read are still right.
            if self._states is None:
                raise
            valid_for = _RETRY_INTERVAL
            self._is_failing = True
        now = self._clock()
        self._note_new_keys(now)
        parsed = self._states.trusted_for_hints if self._states else {}
        self._states = key_states(self._rows, parsed, now=now)
        self._states_expire_at = now + valid_for

    def _note_new_keys(self, now: int) -> None:
        """Clocks differ, so at the first read the age of a young key is unknown. An old key is old by any clock."""
        seen_since = {row.kid: self._seen_since.get(row.kid, now) for row in self._rows}
        if self._states is None:
            seen_since |= {
                row.kid: 0 for row in self._rows if now - row.published_at > KEY_SEEN_SECONDS + MAX_CLOCK_SKEW
            }
        self._seen_since = seen_since
