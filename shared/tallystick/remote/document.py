"""A document of an issuer: fetched again and again, by one task at a time."""

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import Self

import httpx

from tallystick.clock import Clock
from tallystick.remote.internal_url import Address, published

COOLDOWN_SECONDS = 4
"""By the clock. Unknown kids, lists and indexes in tokens cause at most one fetch of a document in this time."""
FETCH_TIMEOUT = 3.0
"""Seconds for one small document, including the issuer's metadata. No request waits longer for any document."""

log = logging.getLogger(__name__)


class RemoteDocument(ABC):
    """Fetches one document, and logs one warning when fetches begin to fail and one line when they work again.

    A subclass holds the last good version. `failures` counts failed fetches. `is_failing` is about the last fetch.
    `was_attempted` is true once a fetch has ended, or a request has waited for one until its timeout. `fetched_at` is
    the Unix time of the last successful fetch.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None,
        address: Address = published,
    ) -> None:
        """`name` is for the log. `transport` replaces the network, for tests."""
        self.failures = 0
        self.is_failing = False
        self.was_attempted = False
        self.fetched_at: int | None = None
        self._name = name
        self._clock = clock
        self._transport = transport
        self._address = address
        self._created_at = clock()
        self._asked_at: int | None = None
        self._etag: str | None = None
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def _fetch(self) -> None:
        """Fetch the document and keep it, within a time of its own.

        Raises OSError, ValueError or httpx.HTTPError when the issuer does not respond, or not with a good document.
        """

    @property
    def fetch(self) -> asyncio.Task[None] | None:
        """The fetch under way, or the last one."""
        return self._task

    @property
    def is_fetching(self) -> bool:
        return is_running(self._task)

    def age(self, now: int) -> int:
        """Seconds since the last successful fetch; before the first one, since this object was created."""
        since = self._created_at if self.fetched_at is None else self.fetched_at
        return max(0, now - since)

    def start_fetch(self) -> asyncio.Task[None]:
        """Start a fetch, unless one is under way."""
        if self._task is None or not is_running(self._task):
            self._task = asyncio.create_task(self._attempt())
        return self._task

    async def refresh(self) -> None:
        """Wait for a fetch: the one under way, or else a new one. Never raises: a failure is in `is_failing`."""
        # `wait` cancels nothing: a caller that is cancelled, or times out, leaves the fetch to the other callers.
        await asyncio.wait([self.start_fetch()], timeout=FETCH_TIMEOUT)
        self.was_attempted = True

    async def refresh_for_token(self) -> None:
        """`refresh`, limited to one new fetch in COOLDOWN_SECONDS, because any caller can send a token."""
        if self.is_fetching or self._take_turn():
            await self.refresh()

    def adopt(self, other: Self) -> None:
        """Continue with the history of `other`, which may belong to another event loop, thread or process."""
        self.failures = other.failures
        self.is_failing = other.is_failing
        self.was_attempted = other.was_attempted
        self.fetched_at = other.fetched_at
        self._created_at = other._created_at
        self._asked_at = other._asked_at

    def cancel_fetch(self) -> None:
        if self._task is not None and is_running(self._task):
            self._task.cancel()

    async def aclose(self) -> None:
        """Cancel the fetch under way, and wait for its end."""
        if self._task is not None and is_running(self._task):
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _take_turn(self) -> bool:
        now = self._clock()
        # A negative difference means that the clock was set back.
        if self._asked_at is not None and 0 <= now - self._asked_at < COOLDOWN_SECONDS:
            return False
        self._asked_at = now
        return True

    async def _attempt(self) -> None:
        try:
            await self._fetch()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as failure:  # OSError includes TimeoutError
            self.failures += 1
            if not self.is_failing:
                self.is_failing = True
                log.warning(
                    "cannot fetch %s, keeping what was known: %s", self._name, str(failure) or type(failure).__name__
                )
        else:
            self.fetched_at = self._clock()
            if self.is_failing:
                self.is_failing = False
                log.info("%s can be fetched again", self._name)
        finally:
            self.was_attempted = True


def is_running(task: asyncio.Task[None] | None) -> bool:
    """Whether the task runs on this event loop. A task of an event loop that was stopped is never done."""
    return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()
