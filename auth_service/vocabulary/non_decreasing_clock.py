"""A clock that never shows less than the latest timestamp in the store, so that nothing is dated before its cause."""

import logging
import time

from tallystick.clock import Clock

_log = logging.getLogger(__name__)

CATCH_UP_RATE = 0.9
"""Seconds that this clock advances in one second while the system clock is behind, so that the two meet again."""
_WARNING_INTERVAL = 60.0


class NonDecreasingClock:
    """A `tallystick.clock.Clock` over the system clock, which an operator or a time server may set back.

    While the system clock shows less than the latest known timestamp, this clock continues from that timestamp at
    CATCH_UP_RATE until the system clock has caught up. ADR 24 gives the reasons.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest = 0
        self._ahead_since: float | None = None
        """When, by the monotonic clock, `_latest` was seen to be ahead of the system clock."""
        self._warned_at = -_WARNING_INTERVAL

    def __call__(self) -> int:
        now, shown = self._clock(), self._extrapolated()
        if now >= shown:
            self._latest, self._ahead_since = now, None
            return now
        if self._ahead_since is None:
            self._ahead_since = time.monotonic()
        return shown

    def observe(self, timestamp: int) -> None:
        """A timestamp from the store, in Unix seconds: from now on this clock shows no less."""
        if timestamp > self():
            self._latest, self._ahead_since = timestamp, time.monotonic()
        if self.seconds_ahead > 1 and time.monotonic() - self._warned_at >= _WARNING_INTERVAL:
            self._warned_at = time.monotonic()
            _log.warning("the clock of this machine is %d s behind the newest instant in the store", self.seconds_ahead)

    @property
    def seconds_ahead(self) -> int:
        """Seconds by which this clock is ahead of the system clock."""
        return self() - self._clock()

    def _extrapolated(self) -> int:
        passed = 0 if self._ahead_since is None else int((time.monotonic() - self._ahead_since) * CATCH_UP_RATE)
        return self._latest + passed
