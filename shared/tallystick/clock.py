"""The clock as a parameter, so that tests can set the time."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns whole Unix seconds."""
LEEWAY = 60
"""Seconds by which the issuer's clock and ours may differ."""


def system_clock() -> int:
    return int(time.time())


_ELAPSED = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def elapsed() -> float:
    """Seconds from an unspecified moment. Unlike `time.monotonic`, it also advances while the machine is suspended."""
    return time.monotonic() if _ELAPSED is None else time.clock_gettime(_ELAPSED)
