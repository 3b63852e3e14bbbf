"""Time as a parameter, so that a test can move it."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns whole Unix seconds."""


def system_clock() -> int:
    return int(time.time())
