"""The status list is kept true: a background task of each process (Token Status List §5, §8).

Whichever process looks first after a revocation signs the next list and puts it into the store, from which all serve
the same bytes. So there is one sequence of lists, each dated after the one before, however many processes there are.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from auth_service.keys.key_ring import KeyRing
from auth_service.status_list import status_list_token
from auth_service.store.status_list import revoked_indexes, status_lists
from auth_service.store.status_list.status_lists import StoredList
from auth_service.telemetry.metrics import StatusListFacts
from auth_service.vocabulary.non_decreasing_clock import NonDecreasingClock
from tallystick.clock import LEEWAY
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store
from tallystick_service.tasks.background_task import background_task

_log = logging.getLogger(__name__)

_LOOK_EVERY = 0.4
"""Seconds, about, so that with the signing a change is published within one."""
_WHEN_WAITING = 0.1
"""Seconds while a change waits because there was a list in this second already."""
_WHEN_AWAY = 1.0
_MARGIN = 70
"""Seconds: ten for a process that goes on issuing under a revoked family until it has heard of it, and a minute by
which the clocks of two machines may be apart."""
_PAGE = 20_000
"""Revoked indexes that one unit reads: some milliseconds' worth."""


class StatusListPublishing:
    """Let it go on within `running()`; `published` is what the store had a moment ago."""

    def __init__(
        self, *, issuer: str, store: Store, key_ring: KeyRing, clock: NonDecreasingClock, lifetime: int
    ) -> None:
        """`lifetime` of a list: seconds, after which no token that was issued before it is believed. Where it was
        longer under an earlier configuration, that one counts."""
        self._issuer = issuer
        self._store = store
        self._key_ring = key_ring
        self._clock = clock
        self._lifetime = lifetime
        self._stored: StoredList | None = None

    @property
    def published(self) -> StoredList:
        """The newest list that this process knows, also while the store is away. Raises TemporarilyUnavailable."""
        if self._stored is None or not self._stored.token:
            raise TemporarilyUnavailable("no status list has been published yet")
        return self._stored

    @property
    def is_current(self) -> bool:
        """Whether there is a list that may be believed: if not, nobody is told of revocations."""
        known = self._stored
        return known is not None and bool(known.token) and self._clock() - known.iat < self._lifetime

    def facts(self) -> StatusListFacts | None:
        """For those who watch."""
        known = self._stored
        if known is None or not known.token:
            return None
        return StatusListFacts(known.iat, len(known.token), known.size, known.revoked)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """From the first list on. Without a store there is none, and the task goes on trying."""
        try:
            await self.look()
        except TemporarilyUnavailable:
            _log.warning("the status list cannot be published yet")
        async with background_task(self._go_on()):
            yield

    async def look(self) -> None:
        """Take over what the store has, and sign the next list if it is time. Raises TemporarilyUnavailable."""
        known = self._stored
        seen = await self._store.read(status_lists.look, known)
        self._clock.note(seen.iat - 1)  # a list may be dated one second ahead
        if seen.some_await_listing:
            while await self._store.write(revoked_indexes.count_in):
                pass
        stored = seen.stored or known
        if stored is None or seen.some_await_listing:
            stored = await self._store.read(status_lists.load)
        if stored.lifetime < self._lifetime:
            await self._store.write(status_lists.keep_longer, self._lifetime)
            stored = await self._store.read(status_lists.load)
        self._stored = stored
        if await self._is_due(stored):
            await self._publish_next(stored)

    async def _go_on(self) -> None:
        while True:
            pause = _WHEN_WAITING if self._stored is not None and self._stored.is_behind else _LOOK_EVERY
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - processes need not keep step
            try:
                await self.look()
            except TemporarilyUnavailable:  # of that the store has told
                await asyncio.sleep(_WHEN_AWAY)
            except Exception:
                _log.exception("could not publish the status list")
                await asyncio.sleep(_WHEN_AWAY)

    async def _is_due(self, stored: StoredList) -> bool:
        now = self._clock()
        if stored.iat > now:
            return False  # at most one list a second, or their dates would run away from the clock
        return (
            stored.is_behind
            or stored.size < stored.wanted_size
            or now - stored.iat >= status_list_token.RESIGN_EVERY
            or stored.kid not in await self._key_ring.verification_keys()
        )

    async def _publish_next(self, stored: StoredList) -> None:
        now = self._clock()
        key = await self._key_ring.signing_key()
        revoked = await self._revoked(stored.revision, now=now)
        iat = max(now, stored.iat + 1)
        token = await asyncio.to_thread(
            status_list_token.write,
            revoked,
            size=stored.wanted_size,
            issuer=self._issuer,
            iat=iat,
            lifetime=stored.lifetime,
            key=key,
        )
        following = replace(
            stored,
            size=stored.wanted_size,
            listed_revision=stored.revision,
            revoked=len(revoked),
            iat=iat,
            kid=key.kid,
            token=token,
        )
        if not await self._store.write(status_lists.publish, following, instead_of=stored.iat, now=now):
            self._stored = await self._store.read(status_lists.load)  # another process was first
            return
        self._stored = following
        clear_at = now + stored.lifetime + _MARGIN
        while await self._store.write(revoked_indexes.note_listed, revision=stored.revision, clear_at=clear_at):
            pass
        await self._store.write(revoked_indexes.free, cleared_before=now - stored.lifetime - LEEWAY)

    async def _revoked(self, revision: int, *, now: int) -> list[int]:
        revoked: list[int] = []
        while True:
            page = await self._store.read(
                revoked_indexes.page,
                after=revoked[-1] if revoked else -1,
                revision=revision,
                now=now,
                limit=_PAGE,
            )
            revoked += page
            if len(page) < _PAGE:
                return revoked
