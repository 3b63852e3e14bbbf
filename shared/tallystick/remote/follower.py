"""Keep an issuer's documents fresh in every kind of process: threads, forks, and event loops that come and go."""

import asyncio
import logging
import os
import weakref
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TypeGuard, TypeVar

from tallystick.clock import elapsed
from tallystick.remote.document import FETCH_TIMEOUT
from tallystick.remote.fetch_loop import FetchLoop
from tallystick.remote.issuer import RemoteIssuer

LATE_AFTER = 4.0
"""Seconds since the last complete round began, after which documents are refreshed before they are used."""
REFRESH_TIMEOUT = FETCH_TIMEOUT + 1
"""Seconds that a verification waits for this refresh. The round itself ends after FETCH_TIMEOUT."""
LOOK_UP_TIMEOUT = 2 * FETCH_TIMEOUT + 1
"""Seconds that a verification waits for an unknown key or list. A list may need the metadata first."""
LOCK_TIMEOUT = 1.0
"""Seconds. The lock is held for milliseconds, except in a fork that got the process id of its parent."""
LOG_INTERVAL = 60.0
"""Seconds between two lines about documents that cannot be refreshed."""

CLOSE_TIMEOUT = 5.0
"""Seconds that `close` waits for the fetches, and for a write of the last known documents."""

T = TypeVar("T")

LookUp = Callable[[RemoteIssuer], Awaitable[object]]
"""A wait for a missing document. It runs on the event loop of the issuer."""

log = logging.getLogger("tallystick.verifier")


class IssuerFollower:
    """The documents of one issuer, and the event loop on which they are kept fresh.

    This is the event loop of a daemon thread, which starts with the first verification, or the event loop that called
    `start_here`. Each verification asks `is_fresh`. That depends only on the progress of the rounds: after
    a fork, the end of a thread or event loop, and a suspension of the process, there is none. `refresh` then
    starts a new thread and waits for its first round. The methods may be called from any thread.
    """

    def __init__(self, new_issuer: Callable[[], RemoteIssuer]) -> None:
        """`new_issuer` is called for each new FetchLoop, because tasks cannot be moved to another event loop."""
        self.issuer = new_issuer()
        """The documents at this moment. It is replaced together with the FetchLoop."""
        self._new_issuer = new_issuer
        self._late_after = max(LATE_AFTER, self.issuer.follow_every + 2)
        self._fetch_loop: FetchLoop | None = None
        self._locks: dict[int, Lock] = {}  # by process id: in a fork, another thread of the parent may hold its lock
        self._refresh: _Refresh | None = None
        self._next_log_line = float("-inf")
        self._finalizer: weakref.finalize[[], IssuerFollower] | None = None  # stops the thread of an unused follower

    @property
    def is_fresh(self) -> bool:
        """Whether a complete round began within the last LATE_AFTER seconds."""
        return elapsed() - self.issuer.checked_at <= self._late_after

    def refresh(self) -> bool:
        """Wait for a complete round, at most REFRESH_TIMEOUT seconds. All callers share one.

        Returns whether there was one. If not, an ERROR is logged, at most once a minute.
        """
        future = self._start_refresh(None)
        return (future is not None and _wait(future, REFRESH_TIMEOUT)) or self._check_fresh()

    async def refresh_async(self) -> bool:
        """`refresh` without blocking the event loop."""
        future = self._start_refresh(asyncio.get_running_loop())
        return (future is not None and await _wait_async(future, REFRESH_TIMEOUT)) or self._check_fresh()

    def look_up(self, look_up: LookUp) -> bool:
        """Wait for `look_up`, at most LOOK_UP_TIMEOUT seconds. Returns whether it ended. Raises as it does."""
        future = self._start_look_up(look_up, is_blocking=True)
        if future is None or not _wait(future, LOOK_UP_TIMEOUT):
            return self._check_fresh()
        future.result()
        return True

    async def look_up_async(self, look_up: LookUp) -> bool:
        """`look_up` without blocking the event loop."""
        future = self._start_look_up(look_up, is_blocking=False)
        if future is None or not await _wait_async(future, LOOK_UP_TIMEOUT):
            return self._check_fresh()
        future.result()
        return True

    def wake(self) -> None:
        """Start a refresh if the documents are not fresh, without waiting for it."""
        if not self.is_fresh:
            self._start_refresh(_running_loop())

    def start_here(self) -> None:
        """Fetch on the running event loop from now on, for as long as it makes progress."""
        with self._locked() as is_locked:
            if is_locked:
                self._move(FetchLoop.on_running_loop)

    def close(self) -> None:
        """Stop fetching. A later verification starts a new one."""
        if self._fetch_loop is not None:
            _wait(self._fetch_loop.stop(), CLOSE_TIMEOUT)
            self._fetch_loop.join(CLOSE_TIMEOUT)

    async def aclose(self) -> None:
        """`close` without blocking the event loop."""
        if self._fetch_loop is not None:
            await _wait_async(self._fetch_loop.stop(), CLOSE_TIMEOUT)
            await asyncio.to_thread(self._fetch_loop.join, CLOSE_TIMEOUT)

    def _start_refresh(self, loop: asyncio.AbstractEventLoop | None) -> "Future[None] | None":
        """The refresh under way, or a new one. None: it cannot be started. `loop` is the caller's event loop."""
        with self._locked() as is_locked, suppress(RuntimeError):
            if not is_locked:
                return None
            fetch_loop, refresh = self._fetch_loop, self._refresh
            if fetch_loop is not None and refresh is not None and refresh.is_shared_by(fetch_loop):
                return refresh.future
            # This event loop makes progress now, whatever delayed its rounds. About any other, nothing is known.
            if fetch_loop is None or not fetch_loop.is_alive or fetch_loop.loop is not loop:
                fetch_loop = self._move(FetchLoop.in_a_thread)
            self._refresh = _Refresh(fetch_loop, fetch_loop.submit(partial(_refresh, fetch_loop.issuer)), elapsed())
            return self._refresh.future
        return None

    def _start_look_up(self, look_up: LookUp, *, is_blocking: bool) -> "Future[object] | None":
        blocked = _running_loop() if is_blocking else None

        def is_usable(fetch_loop: FetchLoop | None) -> TypeGuard[FetchLoop]:
            return fetch_loop is not None and fetch_loop.is_alive and fetch_loop.loop is not blocked

        with suppress(RuntimeError):
            fetch_loop = self._fetch_loop
            if not is_usable(fetch_loop):
                with self._locked() as is_locked:
                    if not is_locked:
                        return None
                    fetch_loop = self._fetch_loop
                    if not is_usable(fetch_loop):
                        fetch_loop = self._move(FetchLoop.in_a_thread)
            issuer = fetch_loop.issuer
            return fetch_loop.submit(lambda: look_up(issuer))
        return None

    def _move(self, new_fetch_loop: Callable[[RemoteIssuer], FetchLoop]) -> FetchLoop:
        """Raises RuntimeError when no thread can be started."""
        old, issuer = self._fetch_loop, self.issuer
        if old is not None:
            issuer = self._new_issuer()
            issuer.adopt(self.issuer)
        self._fetch_loop = fetch_loop = new_fetch_loop(issuer)
        self.issuer = issuer
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = weakref.finalize(self, fetch_loop.stop)
        self._finalizer.atexit = False  # it stops itself at exit
        if old is not None:
            old.stop()
        return fetch_loop

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        lock = self._locks.setdefault(os.getpid(), Lock())
        is_locked = lock.acquire(timeout=LOCK_TIMEOUT)
        try:
            yield is_locked
        finally:
            if is_locked:
                lock.release()

    def _check_fresh(self) -> bool:
        if self.is_fresh:
            return True
        now = elapsed()
        if now >= self._next_log_line:
            self._next_log_line = now + LOG_INTERVAL
            age = now - self.issuer.checked_at
            log.error(
                "cannot refresh the keys and status lists of %s, last done %s: revocations since then are unknown",
                self.issuer.identifier,
                "never" if age == float("inf") else f"{age:.0f} s ago",
            )
        return False


@dataclass(frozen=True)
class _Refresh:
    fetch_loop: FetchLoop
    future: "Future[None]"
    began: float

    def is_shared_by(self, fetch_loop: FetchLoop) -> bool:
        """Whether a caller that finds the documents late now may wait for this one."""
        is_recent = elapsed() - self.began < REFRESH_TIMEOUT
        return self.fetch_loop is fetch_loop and fetch_loop.is_alive and is_recent and not self.future.done()


async def _refresh(issuer: RemoteIssuer) -> None:
    issuer.start()
    await issuer.refresh()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None


def _wait(future: "Future[T]", timeout: float) -> bool:
    """Whether the future has ended in time with a result or an exception."""
    wait([future], timeout)
    return future.done() and not future.cancelled()


async def _wait_async(future: "Future[T]", seconds: float) -> bool:
    """The same on an event loop. Unlike `asyncio.wrap_future`, a cancelled caller does not cancel the future."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wake(_: object) -> None:
        with suppress(RuntimeError):  # the caller's event loop was closed meanwhile
            loop.call_soon_threadsafe(ended.set)

    future.add_done_callback(wake)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ended.wait()
    return future.done() and not future.cancelled()
