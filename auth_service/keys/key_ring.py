"""The keys we sign with: which one signs now, which are published, which still check an `id_token_hint`."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

from auth_service.keys.generation import open_key
from auth_service.keys.key_changes import KeyChanges
from auth_service.keys.lifecycle import KeyStates, forgotten, key_states, spent
from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.keys.master_key_rotation import MasterKeyOnFile
from auth_service.settings.settings import Lifetimes
from auth_service.store.keys import keys
from auth_service.store.keys.keys import DESTROYED, StoredKey
from auth_service.vocabulary.algorithms import SIGNING_ALGS
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.jwk import PublicKey, SigningKey
from tallystick_service.store import Store, StoreUnavailable

_log = logging.getLogger(__name__)

_READ_AGAIN = 1
"""Seconds for which the keys are remembered."""
_RETRY = 5
"""Seconds for which they are when the store is away, so that not every request waits for it in vain."""
_KNOWN_FOR = 8
"""Seconds that a process has to have seen a key before it signs with it, while another key still may. However wrong the
clock of whoever published it, every API has had its look by then."""
_MOST_SKEW = 60
"""Seconds that two of our clocks may be apart, when each is off by half of that."""


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
        """All in seconds. A new key is published `ahead` of its first signature, and a retired one for `keep_published`
        after its last: the longest lifetime of a token, and the leeway of those who verify. A key signs for `lifetime`,
        0 for as long as nobody rotates. A retired one checks hints for `remembered`."""
        self._store = store
        self._master_key = MasterKeyOnFile(master_key, clock)
        self._changes = KeyChanges(store, self._master_key, clock, keep_published=keep_published)
        self._clock = clock
        self._ahead = ahead
        self._lifetime = lifetime
        self._remembered = remembered
        self._reading = asyncio.Lock()
        self._rows: list[StoredKey] = []
        self._states: KeyStates | None = None
        self._read_again_at = 0
        self._is_failing = False
        self._known_since: dict[str, int] = {}
        self._opened: dict[str, SigningKey] = {}
        self._closed: set[str] = set()
        """The kids that the master key does not open."""

    @classmethod
    def of(cls, store: Store, master_key: MasterKey, clock: Clock, lifetimes: Lifetimes) -> Self:
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
        """The key that signs now. Raises TemporarilyUnavailable when there is none that opens, or never was a store to
        ask."""
        states = await self._current()
        row = self._signing(alg, states)
        if row is None:
            raise TemporarilyUnavailable("there is no key to sign with")
        return self._opened.get(row.kid) or await self._open(row, states)

    @property
    def signing_since(self) -> Mapping[str, int]:
        """For each algorithm, since when (Unix seconds) it is the turn of its key, as this process saw it last."""
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

    async def rotate(self, alg: str = "ES256", *, after: str | None = None) -> str | None:
        """Publish a new key that will sign from `ahead` seconds on; its kid, or None when one waits already.

        Also None when `after` is given and no longer the newest. Raises WrongMasterKey.
        """
        kid = await self._changes.rotate(alg, ahead=self._ahead, after=after)
        self._read_again_at = 0
        if kid is not None:
            self._known_since[kid] = self._clock()
        return kid

    async def withdraw(self, kid: str) -> bool:
        """Never again sign with, publish or believe a key. If it was the one that signs, a new one does so at once.

        False when there is no such key, or it was withdrawn before. Raises WrongMasterKey.
        """
        was_withdrawn = await self._changes.withdraw(kid)
        self._read_again_at = 0
        return was_withdrawn

    async def take_care(self) -> None:
        """What has to be done every few seconds by any process: open the keys that will sign, publish the successors of
        those whose time comes, and put away what is no longer needed. Done by several at once, it is done once.

        Raises StoreUnavailable; WrongMasterKey when a successor cannot be sealed.
        """
        if self._is_failing:  # requests go on for a while with what they have
            await self._read_once_after(self._states)
        states = await self._current()
        for row in states.in_service:
            if row.kid not in self._opened:
                with suppress(TemporarilyUnavailable):  # said in the log; the others are to be cared for all the same
                    await self._open(row, states)
        if await self._changes.keep_longer(states):
            self._read_again_at = 0
        for alg in SIGNING_ALGS:
            if alg not in states.signing:  # because of a withdrawal by a clock that was wrong
                await self._changes.add_first(alg)
                self._read_again_at = 0
            due_at = states.due_at(alg, self._lifetime)
            if due_at is not None and alg not in states.waiting and states.at >= due_at - self._ahead:
                kid = await self.rotate(alg, after=states.signing[alg].kid)
                if kid is not None:
                    _log.info("published the signing key %s for %s, which is due", kid, alg)
        dead = spent(self._rows, now=states.at)
        gone = forgotten(self._rows, now=states.at, remembered=self._remembered)
        if dead or gone:
            await self._store.write(keys.tidy, spent=dead, forgotten=gone)
            self._read_again_at = 0

    def _signing(self, alg: str, states: KeyStates) -> StoredKey | None:
        """Whose turn it is; but for its first seconds with us, whoever it retired, who is still published."""
        row, before = states.signing.get(alg), states.before.get(alg)
        if row is None or before is None or before.kid not in states.published or before.private_key == DESTROYED:
            return row
        known_for = self._clock() - self._known_since.get(row.kid, 0)
        return before if 0 <= known_for < _KNOWN_FOR else row

    async def _open(self, row: StoredKey, states: KeyStates) -> SigningKey:
        try:
            opened = await self._master_key.use(lambda master_key: asyncio.to_thread(open_key, row, master_key))
        except WrongMasterKey as wrong:
            if row.kid not in self._closed:  # said once, not every few seconds
                self._closed.add(row.kid)
                _log.error("%s", wrong)
            raise TemporarilyUnavailable("the key to sign with cannot be opened") from wrong
        self._closed.clear()
        self._opened = {kid: key for kid, key in self._opened.items() if kid in states.published} | {row.kid: opened}
        return opened

    async def _current(self) -> KeyStates:
        while (states := self._states) is None or not states.at <= self._clock() < self._read_again_at:
            await self._read_once_after(states)
        return states

    async def _read_once_after(self, states: KeyStates | None) -> None:
        """Read, unless somebody has since `states` were read."""
        async with self._reading:
            if states is self._states:
                await self._read()

    async def _read(self) -> None:
        good_for = _READ_AGAIN
        try:
            self._rows = await self._store.read(keys.load_all)
            self._is_failing = False
        except StoreUnavailable:
            # A key can only be withdrawn through the store; while it is away the last good keys are the right ones.
            if self._states is None:
                raise
            good_for = _RETRY
            self._is_failing = True
        now = self._clock()
        self._note_new_ones(now)
        known = self._states.believed if self._states else {}
        self._states = key_states(self._rows, known, now=now)
        self._read_again_at = now + good_for

    def _note_new_ones(self, now: int) -> None:
        """At our first look nobody can tell how long a young key has been there; an old one is old by any clock."""
        since = {row.kid: self._known_since.get(row.kid, now) for row in self._rows}
        if self._states is None:
            since |= {row.kid: 0 for row in self._rows if now - row.published_at > _KNOWN_FOR + _MOST_SKEW}
        self._known_since = since
