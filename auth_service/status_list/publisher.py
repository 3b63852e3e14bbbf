"""The background task of each process that signs and stores the status list (Token Status List §5, §8).

The first process that sees a revocation signs the next list and stores it, and all processes serve the stored bytes. So
there is one sequence of lists, however many processes there are, and each list is dated later than the one before.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from auth_service.keys.key_ring import KeyRing
from auth_service.status_list.status_list_token import sign_status_list
from auth_service.store.status_list import revoked_indexes, status_lists
from auth_service.store.status_list.status_lists import StoredList
from auth_service.telemetry.metrics import StatusListFacts
from auth_service.vocabulary.non_decreasing_clock import NonDecreasingClock
from auth_service.vocabulary.timing import (
    CLEAR_MARGIN,
    STATUS_LIST_INTERVAL,
    STATUS_LIST_POLL_INTERVAL,
    STATUS_LIST_POLL_JITTER,
    STATUS_LIST_RESIGN_INTERVAL,
)
from tallystick.clock import LEEWAY
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store
from tallystick_service.tasks.background_task import background_task

_log = logging.getLogger(__name__)

_BEHIND_INTERVAL = 0.1
"""Seconds between two looks while a change waits because a list was signed in this second already."""
_RETRY_INTERVAL = 1.0
_PAGE = 20_000
"""Revoked indexes that one unit reads, which takes some milliseconds."""


class StatusListPublisher:
    """Publishes within `running()`. `published` is the list as this process last read it from the store."""

    def __init__(
        self, *, issuer: str, store: Store, key_ring: KeyRing, clock: NonDecreasingClock, lifetime: int
    ) -> None:
        """`lifetime` is seconds. A list is valid for it, or for the longest one that any configuration ever had.

        No access token lives longer than the lists that were signed after it was issued.
        """
        self._issuer = issuer
        self._store = store
        self._key_ring = key_ring
        self._clock = clock
        self._lifetime = lifetime
        self._stored: StoredList | None = None
        self._publishing = asyncio.Lock()
        """Of two concurrent calls, the slower one must not restore an older list."""

    @property
    def published(self) -> StoredList:
        """The newest list that this process knows, also while the store is unavailable.

        Raises TemporarilyUnavailable before the first list.
        """
        if self._stored is None or not self._stored.token:
            raise TemporarilyUnavailable("no status list has been published yet")
        return self._stored

    @property
    def is_current(self) -> bool:
        """Whether there is a list that has not expired. Without one, APIs do not receive revocations."""
        known = self._stored
        return known is not None and bool(known.token) and self._clock() - known.iat < self._lifetime

    def facts(self) -> StatusListFacts | None:
        """For the metrics; None before the first list."""
        known = self._stored
        if known is None or not known.token:
            return None
        return StatusListFacts(known.iat, len(known.token), known.size, known.revoked)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Publish once, then go on in the background. While the store is unavailable, the task tries again."""
        try:
            await self.publish_if_due()
        except TemporarilyUnavailable:
            _log.warning("the status list cannot be published yet")
        async with background_task(self._run()):
            yield

    async def publish_if_due(self) -> None:
        """Read the stored list, and sign and store the next one if it is due. Raises TemporarilyUnavailable."""
        async with self._publishing:
            await self._publish_if_due()

    async def _publish_if_due(self) -> None:
        known = self._stored
        changes = await self._store.read(status_lists.read_changes, known)
        self._clock.observe(changes.iat - 1)  # a list may be dated one second ahead
        if changes.has_unlisted:
            while await self._store.write(revoked_indexes.assign_revision):
                pass
        stored = changes.stored or known
        if stored is None or changes.has_unlisted:
            stored = await self._store.read(status_lists.load_list)
        if stored.lifetime < self._lifetime:
            await self._store.write(status_lists.extend_lifetime, self._lifetime)
            stored = await self._store.read(status_lists.load_list)
        self._stored = stored
        if await self._is_due(stored):
            await self._publish_next(stored)

    async def _run(self) -> None:
        while True:
            is_behind = self._stored is not None and self._stored.is_behind
            interval = _BEHIND_INTERVAL if is_behind else STATUS_LIST_POLL_INTERVAL
            jitter = random.uniform(1 - STATUS_LIST_POLL_JITTER, 1 + STATUS_LIST_POLL_JITTER)  # noqa: S311
            await asyncio.sleep(interval * jitter)
            try:
                await self.publish_if_due()
            except TemporarilyUnavailable:  # already logged by the store
                await asyncio.sleep(_RETRY_INTERVAL)
            except Exception:
                _log.exception("could not publish the status list")
                await asyncio.sleep(_RETRY_INTERVAL)

    async def _is_due(self, stored: StoredList) -> bool:
        now = self._clock()
        if stored.iat > now:
            return False  # at most one list a second, or their dates would run ahead of the clock
        return (
            stored.is_behind
            or stored.size < stored.wanted_size
            or now - stored.iat >= STATUS_LIST_RESIGN_INTERVAL
            or stored.kid not in await self._key_ring.verification_keys()
        )

    async def _publish_next(self, stored: StoredList) -> None:
        now = self._clock()
        key = await self._key_ring.signing_key()
        revoked = await self._revoked(stored.revision, now=now)
        iat = max(now, stored.iat + STATUS_LIST_INTERVAL)
        token = await asyncio.to_thread(
            sign_status_list,
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
        if not await self._store.write(status_lists.replace_list, following, previous_iat=stored.iat, now=now):
            self._stored = await self._store.read(status_lists.load_list)  # another process was first
            return
        self._stored = following
        clear_at = now + stored.lifetime + CLEAR_MARGIN
        while await self._store.write(revoked_indexes.set_clear_at, revision=stored.revision, clear_at=clear_at):
            pass
        await self._store.write(revoked_indexes.free_indexes, cleared_before=now - stored.lifetime - LEEWAY)

    async def _revoked(self, revision: int, *, now: int) -> list[int]:
        revoked: list[int] = []
        while True:
            page = await self._store.read(
                revoked_indexes.read_page,
                after=revoked[-1] if revoked else -1,
                revision=revision,
                now=now,
                limit=_PAGE,
            )
            revoked += page
            if len(page) < _PAGE:
                return revoked
