"""The keys and status lists of one issuer, and the rounds of fetches that keep them fresh."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx

from tallystick.clock import Clock, elapsed, system_clock
from tallystick.remote.document import FETCH_TIMEOUT, is_running
from tallystick.remote.internal_url import Address, published
from tallystick.remote.key_set import RemoteKeySet
from tallystick.remote.status_file import StatusFile
from tallystick.remote.status_lists import StatusLists
from tallystick.request_id import own_request_id
from tallystick.token_checker import KeySet, Statuses

FOLLOW_INTERVAL = 2.0
"""Seconds between two rounds of fetches. Together with the time of a fetch, a revocation arrives well within five."""
FIRST_KEYS_INTERVAL = 1.0
"""Seconds between two attempts while no keys have ever been fetched."""
ROUND_PATIENCE = 1.0
"""Seconds after which a round is complete although a fetch has not ended, because the issuer is slow."""
PAUSE = 1.0
"""Seconds by which a round begins late when the process, or the machine, was suspended meanwhile."""

log = logging.getLogger(__name__)


class RemoteIssuer:
    """One issuer: its keys and its status lists, as far as they are known.

    While `run` runs, both are fetched in the background. A request waits for a fetch only before the first keys, for an
    unknown `kid`, and for a status list or index that was never fetched. Each document is fetched in its own task, and
    its last good version stays when a fetch fails.

    All methods are called on the event loop that fetches. `keys`, `statuses` and `checked_at` may be read from any
    thread.
    """

    def __init__(
        self,
        identifier: str,
        *,
        jwks_uri: str | None = None,
        jwks_file: Path | None = None,
        status_file: StatusFile | None = None,
        follow_every: float = FOLLOW_INTERVAL,
        clock: Clock = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
        address: Address = published,
    ) -> None:
        """`identifier` is compared byte for byte. `jwks_uri`, `jwks_file`: see RemoteKeySet. `follow_every` is seconds
        between two rounds of fetches. `transport` replaces the network, for tests. `address`: see `internal_address`.

        Raises ValueError for a URL that is neither https nor on loopback, and for a `follow_every` that is not above 0.
        """
        if not follow_every > 0:
            raise ValueError("follow_every is a number of seconds, above 0")
        self.identifier = identifier
        self.key_set = RemoteKeySet(
            identifier,
            jwks_uri=jwks_uri,
            jwks_file=jwks_file,
            clock=clock,
            transport=transport,
            address=address,
        )
        self.status_lists = StatusLists(
            identifier, self.key_set, status_file=status_file, clock=clock, transport=transport, address=address
        )
        self.key_set.changed = self.status_lists.use_changed_keys
        self.follow_every = follow_every
        self.checked_at = float("-inf")
        """When the last complete round began, by `tallystick.clock.elapsed`. A change that the issuer had published by
        then is known, unless the fetch failed.
        """
        self._task: asyncio.Task[None] | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._refresh_began = float("-inf")

    @property
    def keys(self) -> KeySet | None:
        """The keys at this moment, or None while none have ever been fetched."""
        return self.key_set.keys

    @property
    def statuses(self) -> Statuses:
        """The current knowledge about the status lists."""
        return self.status_lists.statuses

    def adopt(self, other: Self) -> None:
        """Continue with the documents of `other`, which may belong to another event loop, thread or process."""
        self.checked_at = other.checked_at
        self.key_set.adopt(other.key_set)
        self.status_lists.adopt(other.status_lists)

    def start(self) -> asyncio.Task[None]:
        """Fetch in a background task of the running event loop, unless that task runs."""
        if self._task is None or not is_running(self._task):
            self._task = asyncio.create_task(self.run())
            self._task.add_done_callback(_log_failure)
        return self._task

    async def run(self) -> None:
        """Fetch keys and lists every `follow_every` seconds, until cancelled."""
        began = elapsed()
        await self.refresh()
        while True:
            interval = self.follow_every if self.keys is not None else min(FIRST_KEYS_INTERVAL, self.follow_every)
            await asyncio.sleep(began + interval - elapsed())
            is_late = elapsed() - began > interval + PAUSE
            began = elapsed()
            if is_late:
                await self.refresh()
            else:
                await asyncio.wait(self._start_round(), timeout=min(ROUND_PATIENCE, interval))
                # Set only now, because a round that ends with its event loop has brought nothing.
                self.checked_at = max(self.checked_at, began)

    async def refresh(self) -> None:
        """Wait for a round that began just now, at most FETCH_TIMEOUT seconds. Never raises."""
        if self._refresh is None or not is_running(self._refresh) or elapsed() - self._refresh_began > PAUSE:
            self._refresh_began = elapsed()
            self._refresh = asyncio.create_task(self._whole_round())
        await asyncio.wait([self._refresh])

    async def _whole_round(self) -> None:
        began = elapsed()
        with suppress(TimeoutError):
            async with asyncio.timeout(FETCH_TIMEOUT):
                # A fetch that began before the process was suspended may bring a document from that time.
                fetches = [document.fetch for document in (self.key_set, self.status_lists.names, *self.status_lists)]
                if under_way := [fetch for fetch in fetches if fetch is not None and is_running(fetch)]:
                    await asyncio.wait(under_way)
                began = elapsed()
                await asyncio.wait(self._start_round())
        self.checked_at = max(self.checked_at, began)

    async def aclose(self) -> None:
        """Stop the background task and all fetches. `start` may be called again."""
        for task in (self._task, self._refresh):
            if task is not None and is_running(task):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self.key_set.aclose()
        await self.status_lists.aclose()

    def _start_round(self) -> list[asyncio.Task[None]]:
        with own_request_id():  # instead of the id of the request that called `start`
            return [self.key_set.start_fetch(), *self.status_lists.start_round()]


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (failure := task.exception()) is not None:
        log.error("the rounds of fetches have ended, and begin again with a request", exc_info=failure)
