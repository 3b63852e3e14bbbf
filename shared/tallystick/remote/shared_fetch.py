"""One question to an issuer, asked by one task at a time, whoever waits for the answer."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

import httpx

from tallystick.clock import Clock

COOLDOWN = 4
"""Seconds, by the clock, during which what strangers send cannot make us ask a second time."""
FETCH_TIMEOUT = 3.0
"""Seconds for one small document, the issuer's metadata on the way included; the longest that a request waits."""

log = logging.getLogger(__name__)


class SharedFetch:
    """Fetches something, again and again, and says so when that fails: once, not every few seconds of a long night.

    `failures` counts; `is_failing` is about the last attempt; `had_its_chance` says whether one has ended
    yet, or was waited for in vain; `succeeded_at` is when the last one went well.
    """

    def __init__(self, what: str, fetch: Callable[[], Coroutine[None, None, None]], *, clock: Clock) -> None:
        """`what` is for the log. `fetch` bounds its own time, and raises OSError, ValueError or httpx.HTTPError for
        all that the issuer may do wrong.
        """
        self.failures = 0
        self.is_failing = False
        self.had_its_chance = False
        self.succeeded_at: int | None = None
        self._what = what
        self._fetch = fetch
        self._clock = clock
        self._wanted_since = clock()
        self._asked_at: int | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return is_running(self._task)

    def silence(self, now: int) -> int:
        """Seconds since the last success; while there was none, since we are."""
        since = self._wanted_since if self.succeeded_at is None else self.succeeded_at
        return max(0, now - since)

    def start(self) -> asyncio.Task[None]:
        """Fetch now, unless that is going on already."""
        if self._task is None or not is_running(self._task):
            self._task = asyncio.create_task(self._attempt())
        return self._task

    async def join(self) -> None:
        """Fetch now, or join the fetch under way. Never raises: a failure is in `is_failing`."""
        # One caller may give up, or lose patience, without taking the others' fetch along.
        await asyncio.wait([self.start()], timeout=FETCH_TIMEOUT)
        self.had_its_chance = True

    async def ask(self) -> None:
        """The same on behalf of strangers: however many they are, they cause at most one fetch per COOLDOWN."""
        if self.is_running or self._may_ask():
            await self.join()

    def cancel(self) -> None:
        """Whatever is under way comes to nothing."""
        if self._task is not None and is_running(self._task):
            self._task.cancel()

    async def aclose(self) -> None:
        """End the fetch under way."""
        if self._task is not None and is_running(self._task):
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _may_ask(self) -> bool:
        now = self._clock()
        if self._asked_at is not None and 0 <= now - self._asked_at < COOLDOWN:  # below 0 the clock was set back
            return False
        self._asked_at = now
        return True

    async def _attempt(self) -> None:
        try:
            await self._fetch()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as failure:  # OSError: TimeoutError, too
            self.failures += 1
            if not self.is_failing:
                self.is_failing = True
                log.warning(
                    "cannot fetch %s, keeping what was known: %s", self._what, str(failure) or type(failure).__name__
                )
        else:
            self.succeeded_at = self._clock()
            if self.is_failing:
                self.is_failing = False
                log.info("%s can be fetched again", self._what)
        finally:
            self.had_its_chance = True


def is_running(task: asyncio.Task[None] | None) -> bool:
    """Whether the task goes on here: one of an event loop that was stopped under it is never done, and never runs."""
    return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()
