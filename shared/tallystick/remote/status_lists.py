"""The status lists of an issuer: which they are, and the last good version of each."""

import asyncio
import logging
from collections.abc import Iterator

import httpx

from tallystick.clock import Clock
from tallystick.errors import InvalidToken
from tallystick.remote.followed_list import FollowedList
from tallystick.remote.issuer_http import client_for
from tallystick.remote.issuer_metadata import MAX_STATUS_LISTS, find_status_lists
from tallystick.remote.key_set import RemoteKeySet
from tallystick.remote.shared_fetch import FETCH_TIMEOUT, SharedFetch
from tallystick.remote.status_file import StatusFile
from tallystick.status_list import StatusList, kid_of, read_status_list
from tallystick.urls import check_url, origin_of

DISCOVER_EVERY = 60
"""Seconds, by the clock, between looks at which lists there are. Most are named by their first token."""
FORGET_AFTER = 3600
"""Seconds, by the clock, after which a list that the issuer no longer has is not asked for any more."""

log = logging.getLogger(__name__)


class StatusLists:
    """All lists that are followed. `discovering` is the question which there are.

    They are named by the issuer's metadata, and by tokens that were verified; those only as far as they are at the
    issuer's own origin. So nobody but the issuer decides what we fetch.
    """

    def __init__(
        self,
        issuer: str,
        key_set: RemoteKeySet,
        *,
        status_file: StatusFile | None,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self.discovering = SharedFetch(f"the names of the status lists of {issuer}", self._discover, clock=clock)
        self._issuer = issuer
        self._key_set = key_set
        self._clock = clock
        self._transport = transport
        self._file = status_file
        self._lists: dict[str, FollowedList] = {}
        self._failures_of_forgotten = 0
        self._is_full = False
        key_set.watch(self._obey)
        self._file_is_read = False
        self._load_file()

    def __iter__(self) -> Iterator[FollowedList]:
        return iter(list(self._lists.values()))

    @property
    def failures(self) -> int:
        """How many fetches of lists have failed since the start."""
        return self._failures_of_forgotten + sum(followed.fetching.failures for followed in self)

    def start_round(self) -> None:
        """Fetch every list anew, each in a task of its own, so that a slow one delays no other."""
        if self._must_discover():
            self.discovering.start()
        for followed in self:
            if followed.is_gone and self._clock() - followed.named_at > FORGET_AFTER:
                self._forget(followed)
            else:
                followed.fetching.start()

    async def find(self, uri: str) -> FollowedList | None:
        """The list that a verified token names. None when it cannot be followed: there are too many, or it is elsewhere
        and the issuer is away, so that nobody knows whether it is the issuer's.

        Raises InvalidToken for an address that is neither at the issuer's own origin nor named by its metadata: a list
        that is never fetched can tell of no revocation, ever.
        """
        followed = self._lists.get(uri)
        if followed is None and self._is_at_home(uri):
            followed = self._follow(uri)
        elif followed is None:
            if not self.discovering.had_its_chance:
                await self.discovering.join()
            elif not self.discovering.is_failing:
                await self.discovering.ask()
            followed = self._lists.get(uri)
            if followed is None and self.discovering.succeeded_at is not None and not self._is_full:
                raise InvalidToken from ValueError("a status list that is not at the issuer's")
        if followed is not None:
            followed.named_at = self._clock()
        return followed

    async def aclose(self) -> None:
        for fetching in (self.discovering, *(followed.fetching for followed in self)):
            await fetching.aclose()
        if self._file is not None:
            await self._file.aclose()

    def _must_discover(self) -> bool:
        at = self.discovering.succeeded_at
        return at is None or not 0 <= self._clock() - at < DISCOVER_EVERY

    async def _discover(self) -> None:
        async with asyncio.timeout(FETCH_TIMEOUT), client_for(self._issuer, self._transport) as http:
            uris = await find_status_lists(http, self._issuer)
        for uri in uris:
            followed = self._lists.get(uri) or self._follow(uri)
            if followed is not None:
                followed.named_at = self._clock()
                if not followed.fetching.had_its_chance:
                    followed.fetching.start()

    def _is_at_home(self, uri: str) -> bool:
        try:
            return origin_of(check_url(uri)) == origin_of(self._issuer)
        except ValueError:
            return False

    def _follow(self, uri: str) -> FollowedList | None:
        if len(self._lists) >= MAX_STATUS_LISTS:
            if not self._is_full:
                self._is_full = True
                log.warning("%s has more than %d status lists: no more are followed", self._issuer, MAX_STATUS_LISTS)
            return None
        followed = FollowedList(uri, self._key_set, self._taken, clock=self._clock, transport=self._transport)
        self._lists[uri] = followed
        return followed

    def _forget(self, followed: FollowedList) -> None:
        """Its address is answered with 404, and no token has named it for long."""
        del self._lists[followed.uri]
        followed.fetching.cancel()
        followed.held = None  # for verdicts that were reached by it
        self._failures_of_forgotten += followed.fetching.failures
        self._is_full = False
        if self._file is not None:
            self._file.forget(followed.uri)

    def _taken(self, status_list: StatusList, text: str) -> None:
        if self._file is not None:
            self._file.note(status_list, text)

    def _obey(self) -> None:
        """The keys have changed."""
        for followed in self:
            if followed.obey():
                followed.fetching.start()
                if self._file is not None:
                    self._file.forget(followed.uri)
        self._load_file()

    def _load_file(self) -> None:
        """Once, as soon as there are keys to verify the file by."""
        if self._file is None or self._file_is_read or not self._key_set.keys:
            return
        self._file_is_read = True
        try:
            texts = self._file.read()
        except (OSError, ValueError) as failure:
            log.warning("cannot use the status lists in %s: %s", self._file.path, failure)
            return
        for uri, text in texts.items():
            try:
                self._load(uri, text, self._file)
            except ValueError as failure:
                log.warning("cannot use the list %r in %s: %s", uri, self._file.path, failure)

    def _load(self, uri: str, text: str, file: StatusFile) -> None:
        key = self._key_set.keys.get(kid_of(text))
        if key is None:
            raise ValueError("a status list by a key that is not the issuer's")
        # It may have expired: what it says of revoked tokens stays true.
        status_list = read_status_list(text, uri=check_url(uri), key=key, now=self._clock())
        followed = self._lists.get(uri) or self._follow(uri)
        if followed is not None and followed.held is None:
            followed.held = status_list
            file.was_read(status_list, text)
