"""Find the workers whose event loop no longer runs."""

from collections.abc import Mapping

LONGEST_OBSERVATION = 2.0
"""Seconds. The parent observes about once a second. A longer interval is a pause of the parent itself."""


class HangDetector:
    """Finds processes whose number of heartbeats has not changed for `timeout` seconds.

    Only time counts in which the parent itself was running: after a suspended machine, a stopped process group or an
    overload that stopped the parent, every process has nearly all of its timeout again.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._observed_at: float | None = None
        self._beats: dict[int, int] = {}
        self._silence: dict[int, float] = {}

    def hung(self, beats: Mapping[int, int], now: float) -> list[int]:
        """`beats`: the number of heartbeats of each observed process, by its pid. `now` is a monotonic time in seconds.

        A process that is observed for the first time has its whole timeout.
        """
        elapsed = 0.0 if self._observed_at is None else min(now - self._observed_at, LONGEST_OBSERVATION)
        self._observed_at = now
        self._silence = {
            pid: self._silence[pid] + elapsed if self._beats.get(pid) == count else 0.0 for pid, count in beats.items()
        }
        self._beats = dict(beats)
        return [pid for pid, silence in self._silence.items() if silence >= self._timeout]
