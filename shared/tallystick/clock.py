"""The clock as a parameter, so that tests can set the time."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns whole Unix seconds."""
LEEWAY = 60
"""Seconds by which the issuer's clock and ours may differ."""


def system_clock() -> int:
    return int(time.time())
