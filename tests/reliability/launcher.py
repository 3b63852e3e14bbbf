"""Runs a service whose clock is wrong: `python -m tests.reliability.launcher --skew SECONDS MODULE ARGUMENT …`"""

import runpy
import sys
import time


def main(option: str, seconds: str, module: str, *arguments: str) -> None:
    assert option == "--skew"
    _skew_clock(float(seconds))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")


def _skew_clock(seconds: float) -> None:
    """Shift the wall clock of this process. Timeouts use the monotonic clock and stay as they are."""
    machine_time = time.time
    time.time = lambda: machine_time() + seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
