"""Time as a parameter, so that a test can move it."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns whole Unix seconds."""
LEEWAY = 60
"""Seconds that the issuer's clock and ours may be apart."""


def system_clock() -> int:
    return int(time.time())
