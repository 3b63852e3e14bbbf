"""One status list: fetched in advance, with its last valid version kept while the issuer is unavailable."""

import asyncio
from collections.abc import Callable
from typing import Self

import httpx

from tallystick.clock import Clock
from tallystick.jwk import PublicKey
from tallystick.jwt import STATUS_LIST
from tallystick.remote.document import RemoteDocument
from tallystick.remote.http import Fetched, NotFound, client_for, get_if_changed
from tallystick.remote.internal_url import Address, published
from tallystick.remote.key_set import RemoteKeySet
from tallystick.status_list import StatusList, parse_status_list, parse_status_list_kid

LIST_TIMEOUT = 10.0
"""Seconds for one fetch of a list, which may have some megabytes. Requests wait for a shorter time."""
REPLACEMENT_INTERVAL = 0.5
"""Seconds between requests for the list that replaces one of a withdrawn key. The issuer signs it immediately."""
MAX_INLINE_CHARACTERS = 64 * 1024
"""A longer token is parsed in a thread, because it would block the event loop."""


class CachedStatusList(RemoteDocument):
    """The list at one URL.

    `held` is its last good version. `named_at` is the Unix time when the issuer's metadata, or a verified token, last
    named it. `is_gone` is true while the issuer answers 404 or 410.
    """

    def __init__(
        self,
        uri: str,
        keys: RemoteKeySet,
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None,
        address: Address = published,
        accepted: Callable[[StatusList, str], None] = lambda _list, _token: None,
        attempted: Callable[[], None] = lambda: None,
    ) -> None:
        """`accepted` is called with each new version and its token, `attempted` after each fetch."""
        super().__init__(f"the status list {uri}", clock=clock, transport=transport, address=address)
        self.uri = uri
        self.held: StatusList | None = None
        self.named_at = clock()
        self.is_gone = False
        self._keys = keys
        self._accepted = accepted
        self._attempted = attempted
        self._withdrawn_kid: str | None = None

    async def look_up(self, idx: int) -> None:
        """Wait for a fetch where that may bring the status of `idx`.

        All requests share one fetch. Indexes beyond the end cause one fetch in COOLDOWN_SECONDS. While the issuer is
        away, no request waits after the first attempt.
        """
        if not self.was_attempted:
            await self.refresh()
        elif self.held is not None and not self.is_failing and not self.held.has(idx):
            await self.refresh_for_token()

    def adopt(self, other: Self) -> None:
        super().adopt(other)
        self.held, self.named_at, self.is_gone = other.held, other.named_at, other.is_gone
        self._withdrawn_kid = other._withdrawn_kid

    def drop_if_key_withdrawn(self) -> bool:
        """Drop the held version if its key is no longer the issuer's, and return whether it was dropped.

        The thief of the key may have signed that version. The next version is accepted at any age, and requests
        wait for it as for a first one.
        """
        if self.held is None or self._is_current(self.held.key):
            return False
        self._withdrawn_kid = self.held.key.kid
        self.held = None
        self._etag = None
        self.was_attempted = False
        return True

    async def _attempt(self) -> None:
        await super()._attempt()
        self._attempted()

    async def _fetch(self) -> None:
        async with asyncio.timeout(LIST_TIMEOUT):
            while (fetched := await self._get()) is not None:
                token = fetched.body.decode("ascii")
                kid = parse_status_list_kid(token)
                fresh = None if self._is_withdrawn(kid) else await self._parse(token, kid)
                # The key may have been withdrawn during the parsing.
                if fresh is not None and self._is_current(fresh.key):
                    self._accept(fresh, token, fetched.etag)
                    return
                await asyncio.sleep(REPLACEMENT_INTERVAL)

    def _accept(self, fresh: StatusList, token: str, etag: str | None) -> None:
        if fresh.is_expired(self._clock()):
            raise ValueError("the status list is expired")
        if self.held is not None and fresh.iat < self.held.iat:
            return  # an older version, from a cache between the issuer and us
        self.held = fresh
        self._etag = etag
        self._accepted(fresh, token)

    async def _get(self) -> Fetched | None:
        """The current version, or None when that is the held one."""
        url = self._address(self.uri)
        async with client_for(url, self._transport) as http:
            while True:
                try:
                    fetched = await get_if_changed(
                        http,
                        url,
                        accept="application/statuslist+jwt",
                        etag=self._etag,
                        max_bytes=STATUS_LIST.max_bytes,
                    )
                except NotFound:
                    self.is_gone = True
                    raise
                self.is_gone = False
                # A 304 is no answer if the held version was dropped after the request.
                if fetched is not None or self.held is not None:
                    return fetched

    async def _parse(self, token: str, kid: str) -> StatusList:
        if self._keys.get(kid) is None:
            await self._keys.refresh()
        key = self._keys.get(kid)
        if key is None:
            raise ValueError("the status list has a key that is not the issuer's")
        now = self._clock()
        if len(token) <= MAX_INLINE_CHARACTERS:
            return parse_status_list(token, uri=self.uri, key=key, now=now)
        return await asyncio.to_thread(parse_status_list, token, uri=self.uri, key=key, now=now)

    def _is_withdrawn(self, kid: str) -> bool:
        return kid == self._withdrawn_kid and self._keys.get(kid) is None

    def _is_current(self, key: PublicKey) -> bool:
        return self._keys.get(key.kid) == key
