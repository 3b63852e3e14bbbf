"""One status list: fetched ahead of need, and its last good version kept when the issuer is away."""

import asyncio
from collections.abc import Callable

import httpx

from tallystick.clock import Clock
from tallystick.jwk import PublicKey
from tallystick.jwt import STATUS_LIST
from tallystick.remote.issuer_http import Answer, NotThere, client_for, get_if_changed
from tallystick.remote.key_set import RemoteKeySet
from tallystick.remote.shared_fetch import SharedFetch
from tallystick.status_list import StatusList, kid_of, read_status_list

LIST_TIMEOUT = 10.0
"""Seconds for one fetch of a list, which may be some megabytes. Requests wait a shorter time."""
REPLACED_WITHIN = 0.5
"""Seconds between questions for the list that replaces one by a withdrawn key; the issuer signs it at once."""
SMALL = 64 * 1024
"""Bytes of a token that is read at once; a longer one would keep the event loop from its work."""


class FollowedList:
    """The list at one address.

    `held` is its last good version. `named_at` is when the issuer, or a token of its, last named it; `is_gone` says
    that there is no such list any more.
    """

    def __init__(
        self,
        uri: str,
        key_set: RemoteKeySet,
        taken: Callable[[StatusList, str], None],
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """`taken` is called with each version that is taken over from the issuer, and its text."""
        self.uri = uri
        self.held: StatusList | None = None
        self.named_at = clock()
        self.is_gone = False
        self.fetching = SharedFetch(f"the status list {uri}", self._fetch, clock=clock)
        self._key_set = key_set
        self._taken = taken
        self._clock = clock
        self._transport = transport
        self._etag: str | None = None
        self._withdrawn: str | None = None

    async def seek(self, idx: int) -> None:
        """Give the issuer its chance to tell of `idx`, as far as it had none yet; which need not help.

        However many requests come, they share one fetch; places beyond the list's end cause at most one per COOLDOWN.
        Where the issuer is away, nobody waits after the first attempt.
        """
        if not self.fetching.had_its_chance:
            await self.fetching.join()
        elif self.held is not None and not self.fetching.is_failing and not self.held.has(idx):
            await self.fetching.ask()

    def obey(self) -> bool:
        """Whether a version was held whose key is no longer the issuer's. Then it counts no more, and the next is
        taken whatever its age: nobody knows whether the thief of the key has signed this one. Requests wait for it, as
        for a first one.
        """
        if self.held is None or self._is_believed(self.held.key):
            return False
        self._withdrawn = self.held.key.kid
        self.held = None
        self._etag = None
        self.fetching.had_its_chance = False
        return True

    async def _fetch(self) -> None:
        async with asyncio.timeout(LIST_TIMEOUT):
            while (answer := await self._get()) is not None:  # None makes the one held no younger
                text = answer.body.decode("ascii")
                kid = kid_of(text)
                fresh = None if self._is_withdrawn(kid) else await self._read(text, kid)
                if fresh is not None and self._is_believed(fresh.key):
                    self._take(fresh, text, answer.etag)
                    return
                await asyncio.sleep(REPLACED_WITHIN)

    def _take(self, fresh: StatusList, text: str, etag: str | None) -> None:
        if fresh.is_expired(self._clock()):
            raise ValueError("an expired status list")
        if self.held is not None and fresh.iat < self.held.iat:
            return  # from a cache that lags behind
        self.held = fresh
        self._etag = etag
        self._taken(fresh, text)

    async def _get(self) -> Answer | None:
        """The answer to one question, or None when it is the version that is held."""
        async with client_for(self.uri, self._transport) as http:
            while True:
                try:
                    answer = await get_if_changed(
                        http,
                        self.uri,
                        accept="application/statuslist+jwt",
                        etag=self._etag,
                        max_bytes=STATUS_LIST.max_bytes,
                    )
                except NotThere:
                    self.is_gone = True
                    raise
                self.is_gone = False
                # Between question and answer the version held may have lost its key; then it is asked for anew.
                if answer is not None or self.held is not None:
                    return answer

    async def _read(self, text: str, kid: str) -> StatusList:
        if kid not in self._key_set.keys:
            await self._key_set.refresh()
        key = self._key_set.keys.get(kid)
        if key is None:
            raise ValueError("a status list by a key that is not the issuer's")
        now = self._clock()
        if len(text) <= SMALL:
            return read_status_list(text, uri=self.uri, key=key, now=now)
        return await asyncio.to_thread(read_status_list, text, uri=self.uri, key=key, now=now)

    def _is_withdrawn(self, kid: str) -> bool:
        return kid == self._withdrawn and kid not in self._key_set.keys

    def _is_believed(self, key: PublicKey) -> bool:
        return self._key_set.keys.get(key.kid) == key
