"""The status lists of an issuer: their URLs, and the last good version of each."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Self

import httpx

from tallystick.clock import Clock
from tallystick.errors import InvalidToken
from tallystick.remote.cached_status_list import CachedStatusList
from tallystick.remote.document import FETCH_TIMEOUT, RemoteDocument
from tallystick.remote.http import client_for
from tallystick.remote.internal_url import Address, published
from tallystick.remote.key_set import RemoteKeySet
from tallystick.remote.metadata import MAX_STATUS_LISTS, find_status_lists
from tallystick.remote.status_file import StatusFile
from tallystick.status_list import StatusList, StatusReference, parse_status_list, parse_status_list_kid
from tallystick.token_checker import Statuses
from tallystick.urls import check_url, origin_of

DISCOVERY_INTERVAL = 60
"""Seconds, by the clock, between two reads of the issuer's metadata. Most lists are found by their first token."""
FORGET_AFTER_SECONDS = 3600
"""By the clock. A list that the issuer no longer has, and that no token has named for this time, is dropped."""

log = logging.getLogger(__name__)


class StatusListNames(RemoteDocument):
    """The URLs of the lists, from the issuer's metadata (Token Status List §9)."""

    def __init__(
        self,
        issuer: str,
        found: Callable[[list[str]], None],
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None,
        address: Address,
    ) -> None:
        name = f"the names of the status lists of {issuer}"
        super().__init__(name, clock=clock, transport=transport, address=address)
        self._issuer = issuer
        self._found = found

    @property
    def is_due(self) -> bool:
        at = self.fetched_at
        return at is None or not 0 <= self._clock() - at < DISCOVERY_INTERVAL

    async def _fetch(self) -> None:
        async with client_for(self._address(self._issuer), self._transport) as http, asyncio.timeout(FETCH_TIMEOUT):
            uris = await find_status_lists(http, self._issuer, self._address)
        self._found(uris)


class StatusLists:
    """The lists that are fetched.

    The issuer's metadata names them, and so do verified tokens, but only for lists at the issuer's own origin. So only
    the issuer decides which URLs are fetched.
    """

    def __init__(
        self,
        issuer: str,
        keys: RemoteKeySet,
        *,
        status_file: StatusFile | None,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None,
        address: Address = published,
    ) -> None:
        self.statuses = Statuses()
        """The current statuses. The object is replaced when a list changes."""
        self.names = StatusListNames(issuer, self._follow_named, clock=clock, transport=transport, address=address)
        self._issuer = issuer
        self._keys = keys
        self._clock = clock
        self._transport = transport
        self._address = address
        self._file = status_file
        self._lists: dict[str, CachedStatusList] = {}
        self._failures_of_dropped = 0
        self._is_full = False
        self._file_is_read = False
        self._load_file()

    def __iter__(self) -> Iterator[CachedStatusList]:
        return iter(list(self._lists.values()))

    @property
    def failures(self) -> int:
        """How many fetches of lists have failed since the start."""
        return self._failures_of_dropped + sum(each.failures for each in self)

    def start_round(self) -> list[asyncio.Task[None]]:
        """Start a fetch of every list, each in its own task, so that a slow one delays no other."""
        fetches = [self.names.start_fetch()] if self.names.is_due else []
        for each in self:
            if each.is_gone and self._clock() - each.named_at > FORGET_AFTER_SECONDS:
                self._drop(each)
            else:
                fetches.append(each.start_fetch())
        return fetches

    def adopt(self, other: Self) -> None:
        """Continue with the lists of `other`, except those whose key is not in our key set."""
        self.names.adopt(other.names)
        self._failures_of_dropped = other._failures_of_dropped
        self._file_is_read = self._file_is_read or other._file_is_read
        for each in other:
            cached = self._lists.get(each.uri) or self._follow(each.uri)
            if cached is not None:
                cached.adopt(each)
                cached.drop_if_key_withdrawn()
        self._update_statuses()

    async def look_up(self, reference: StatusReference) -> None:
        """Wait for a fetch where that may bring the status that a verified token refers to.

        A list is not followed when there are too many, or when it is at another origin and the metadata is not
        available. Raises InvalidToken for a list at another origin that the metadata does not name, because it would
        never report a revocation.
        """
        cached = self._lists.get(reference.uri)
        if cached is None and self._has_own_origin(reference.uri):
            cached = self._follow(reference.uri)
        elif cached is None:
            if not self.names.was_attempted:
                await self.names.refresh()
            elif not self.names.is_failing:
                await self.names.refresh_for_token()
            cached = self._lists.get(reference.uri)
            if cached is None and self.names.fetched_at is not None and not self._is_full:
                raise InvalidToken from ValueError("a status list that is not the issuer's")
        if cached is not None:
            cached.named_at = self._clock()
            await cached.look_up(reference.idx)

    def use_changed_keys(self) -> None:
        """Drop each list whose key was withdrawn, and fetch it again immediately."""
        for each in self:
            if each.drop_if_key_withdrawn():
                each.start_fetch()
                if self._file is not None:
                    self._file.remove(each.uri)
        self._update_statuses()
        self._load_file()

    async def aclose(self) -> None:
        for document in (self.names, *self):
            await document.aclose()
        if self._file is not None:
            await self._file.aclose()

    def _update_statuses(self) -> None:
        self.statuses = Statuses(
            MappingProxyType({each.uri: each.held for each in self._lists.values() if each.held is not None}),
            frozenset(each.uri for each in self._lists.values() if each.is_failing),
        )

    def _follow_named(self, uris: list[str]) -> None:
        for uri in uris:
            cached = self._lists.get(uri) or self._follow(uri)
            if cached is not None:
                cached.named_at = self._clock()
                if not cached.was_attempted:
                    cached.start_fetch()

    def _has_own_origin(self, uri: str) -> bool:
        try:
            return origin_of(check_url(uri)) == origin_of(self._issuer)
        except ValueError:
            return False

    def _follow(self, uri: str) -> CachedStatusList | None:
        if len(self._lists) >= MAX_STATUS_LISTS:
            if not self._is_full:
                self._is_full = True
                log.warning("%s has more than %d status lists: no more are followed", self._issuer, MAX_STATUS_LISTS)
            return None
        cached = self._lists[uri] = CachedStatusList(
            uri,
            self._keys,
            clock=self._clock,
            transport=self._transport,
            address=self._address,
            accepted=self._accepted,
            attempted=self._update_statuses,
        )
        return cached

    def _drop(self, cached: CachedStatusList) -> None:
        del self._lists[cached.uri]
        cached.cancel_fetch()
        self._failures_of_dropped += cached.failures
        self._is_full = False
        self._update_statuses()
        if self._file is not None:
            self._file.remove(cached.uri)

    def _accepted(self, status_list: StatusList, token: str) -> None:
        if self._file is not None:
            self._file.put(status_list, token)

    def _load_file(self) -> None:
        """Read the file once, as soon as there are keys to verify it with."""
        if self._file is None or self._file_is_read or not self._keys.keys:
            return
        self._file_is_read = True
        try:
            tokens = self._file.read()
        except (OSError, ValueError) as failure:
            log.warning("cannot use the status lists in %s: %s", self._file.path, failure)
            return
        for uri, token in tokens.items():
            try:
                self._load(uri, token, self._file)
            except ValueError as failure:
                log.warning("cannot use the list %r in %s: %s", uri, self._file.path, failure)
        self._update_statuses()

    def _load(self, uri: str, token: str, file: StatusFile) -> None:
        key = self._keys.get(parse_status_list_kid(token))
        if key is None:
            raise ValueError("the status list has a key that is not the issuer's")
        # An expired list is used, because what it says about revoked tokens stays true.
        status_list = parse_status_list(token, uri=check_url(uri), key=key, now=self._clock())
        cached = self._lists.get(uri) or self._follow(uri)
        if cached is not None and cached.held is None:
            cached.held = status_list
            file.mark_as_written(status_list, token)
