"""One access token that all threads, tasks and event loops of a process share, and that one thread fetches."""

import asyncio
import contextvars
import copy
import logging
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from tallystick.client.errors import TokenError, TokenRequestRefused, TokenUnavailable
from tallystick.client.token_response import IssuedToken

RENEW_AFTER = (0.7, 0.8)
"""Fractions of its lifetime after which a token is renewed: random between them, so that processes do not renew it
at the same moment.
"""
MAX_MARGIN = 10.0
"""Seconds before its expiry at which a token is not sent any more, because it would expire on the way."""
PAUSE_AFTER_REFUSAL = 5.0
"""Seconds without a token request after an OAuth error. Token endpoints limit failed authentication."""
PAUSE_AFTER_FAILURE = 1.0
"""Seconds without a token request after another failure, unless the token endpoint named a time."""
PAUSE_AFTER_VAIN_REPLACEMENT = 5.0
"""Seconds for which refused tokens are not replaced, after an API has refused a token that was just issued."""
_THREAD_GRACE = 5.0
"""Seconds that a waiting request allows beyond the time of the fetch, for a busy machine."""

log = logging.getLogger("tallystick.client")


@dataclass(frozen=True, eq=False)
class HeldToken:
    """Times are seconds of the clock of its SharedToken."""

    value: str = field(repr=False)
    renew_at: float
    use_until: float


Outcome = HeldToken | TokenError


class _Fetches:
    """The fetches of one process. A forked process has its own, because a lock may be held and no thread is copied."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.under_way: Future[Outcome] | None = None
        self.paused_until = float("-inf")
        self.failure: TokenError | None = None


class SharedToken:
    """Holds a token, and fetches the next one in a thread of its own.

    A fetch in a thread with its own event loop serves threads and tasks of every loop alike, and does not end when the
    task that began it is cancelled. Only requests start fetches: a program that sends none, fetches nothing.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[IssuedToken]],
        *,
        name: str,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fetch` runs in a new event loop each time and raises TokenError, within `timeout` seconds.

        `name` is for the log. `clock` is seconds that never go back.
        """
        self._fetch = fetch
        self._name = name
        self._timeout = timeout
        self._clock = clock
        self._held: HeldToken | None = None
        self._by_process: dict[int, _Fetches] = {}
        self._no_replacement_until = float("-inf")

    def get(self) -> HeldToken:
        """A token that can be sent, after a fetch if there is none. Raises TokenError."""
        found = self._held_or_fetch()
        if isinstance(found, HeldToken):
            return found
        try:
            return _unwrap(found.result(self._timeout + _THREAD_GRACE))
        except TimeoutError:
            raise self._abandon(found) from None

    async def aget(self) -> HeldToken:
        """`get` for a task of asyncio."""
        found = self._held_or_fetch()
        if isinstance(found, HeldToken):
            return found
        try:
            # The future is running, so that cancelling this wait does not cancel the fetch.
            return _unwrap(await asyncio.wait_for(asyncio.wrap_future(found), self._timeout + _THREAD_GRACE))
        except TimeoutError:
            raise self._abandon(found) from None

    def discard(self, refused: HeldToken) -> bool:
        """Forget a token that an API refused. False: it stays, because a new one would be refused, too."""
        fetches = self._fetches()
        with fetches.lock:
            if self._clock() < self._no_replacement_until:
                return False
            if self._held is refused:
                self._held = None
            return True

    def replaced_in_vain(self) -> None:
        """An API refused a token that was just issued. Do not fetch a token for each of its responses."""
        self._no_replacement_until = self._clock() + PAUSE_AFTER_VAIN_REPLACEMENT

    def _held_or_fetch(self) -> HeldToken | Future[Outcome]:
        """The held token, or the fetch to wait for. Raises the last TokenError during the pause after it."""
        held = self._held
        if held is not None and self._clock() < held.renew_at:
            return held  # without a lock: almost every request
        fetches = self._fetches()
        with fetches.lock:
            now = self._clock()
            held = self._held
            if held is not None and now < held.renew_at:
                return held
            if fetches.under_way is None and now >= fetches.paused_until:
                self._start(fetches)
            if held is not None and now < held.use_until:
                return held
            if fetches.under_way is not None:
                return fetches.under_way
            raise copy.copy(fetches.failure or TokenUnavailable("no access token"))

    def _fetches(self) -> _Fetches:
        """Those of this process. One operation decides between threads, without a lock that a fork could copy."""
        return self._by_process.setdefault(os.getpid(), _Fetches())

    def _start(self, fetches: _Fetches) -> None:
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()
        fetches.under_way = future
        context = contextvars.copy_context()  # the request id of the caller is sent to the token endpoint, too
        thread = threading.Thread(
            target=context.run, args=(self._run, fetches, future), name="tallystick-token", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as failure:  # no more threads, or the interpreter is shutting down
            fetches.under_way = None
            fetches.failure = TokenUnavailable(f"no thread for a token request: {failure}")

    def _run(self, fetches: _Fetches, future: "Future[Outcome]") -> None:
        started = self._clock()

        async def fetch() -> None:
            # The outcome is told here, because the end of the loop may have to wait for a slow name lookup.
            try:
                issued = await self._fetch()
            except TokenError as error:
                self._finish(fetches, future, error.with_traceback(None))
            else:
                self._finish(fetches, future, _hold(issued, started))

        try:
            asyncio.run(fetch())
        except Exception as failure:
            if not future.done():
                log.exception("the token request for %s failed", self._name)
                self._finish(fetches, future, TokenUnavailable(f"the token request failed: {type(failure).__name__}"))

    def _finish(self, fetches: _Fetches, future: "Future[Outcome]", outcome: Outcome) -> None:
        with fetches.lock:
            if fetches.under_way is future:
                fetches.under_way = None
            previous = fetches.failure
            if isinstance(outcome, HeldToken):
                self._held = outcome
                fetches.failure = None
            else:
                fetches.failure = outcome
                fetches.paused_until = self._clock() + _pause_after(outcome)
        if isinstance(outcome, TokenError):
            if str(outcome) != str(previous):
                log.warning("%s got no access token: %s", self._name, outcome)
        elif previous is not None:
            log.info("%s gets access tokens again", self._name)
        future.set_result(outcome)

    def _abandon(self, future: Future[Outcome]) -> TokenUnavailable:
        """Let the next request start a new fetch, although this one has not ended."""
        fetches = self._fetches()
        with fetches.lock:
            if fetches.under_way is future:
                fetches.under_way = None
        return TokenUnavailable("the token request did not end in time")


def _hold(issued: IssuedToken, started: float) -> HeldToken:
    """`started` is before the token was issued, so that it is never used for too long."""
    margin = min(MAX_MARGIN, issued.lifetime / 10)
    renew_after = random.uniform(*RENEW_AFTER)  # noqa: S311 - not a secret
    return HeldToken(issued.value, started + issued.lifetime * renew_after, started + issued.lifetime - margin)


def _pause_after(failure: TokenError) -> float:
    if isinstance(failure, TokenRequestRefused):
        return PAUSE_AFTER_REFUSAL
    asked = failure.retry_after if isinstance(failure, TokenUnavailable) else None
    return max(PAUSE_AFTER_FAILURE, asked or 0.0)


def _unwrap(outcome: Outcome) -> HeldToken:
    if isinstance(outcome, TokenError):
        raise copy.copy(outcome)  # one exception for each thread and task
    return outcome
