"""A clock that never shows less than what the store has seen, so that nothing is dated before what it follows."""

import logging
import time

from tallystick.clock import Clock

_log = logging.getLogger(__name__)

RATE = 0.9
"""Seconds that pass for one, while the clock behind is waited for: so two that differ come together again."""
_TELL_EVERY = 60.0


class NonDecreasingClock:
    """`tallystick.clock.Clock` over another one, which a person or a time server may set back.

    While that shows less than the newest instant that is known, time goes on from there, a little slower than it
    should: whichever of the two was wrong, they meet.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._newest = 0
        self._since: float | None = None
        """When, by no clock that anybody sets, `_newest` was seen to be ahead."""
        self._told_at = -_TELL_EVERY

    def __call__(self) -> int:
        now, shown = self._clock(), self._shown()
        if now >= shown:
            self._newest, self._since = now, None
            return now
        if self._since is None:
            self._since = time.monotonic()
        return shown

    def note(self, instant: int) -> None:
        """Something in the store is dated so: nothing of ours may be dated before."""
        if instant > self():
            self._newest, self._since = instant, time.monotonic()
        if self.behind > 1 and time.monotonic() - self._told_at >= _TELL_EVERY:
            self._told_at = time.monotonic()
            _log.warning("the clock of this machine is %d s behind the newest instant in the store", self.behind)

    @property
    def behind(self) -> int:
        """Seconds by which the clock behind shows less than this one."""
        return self() - self._clock()

    def _shown(self) -> int:
        passed = 0 if self._since is None else int((time.monotonic() - self._since) * RATE)
        return self._newest + passed
