"""A service whose clock is wrong, or that looks at its issuer more often than it should:

`python -m tests.reliability.launch [--skew SECONDS] [--refresh SECONDS] MODULE serve …`
"""

import runpy
import sys
import time

from tallystick.fastapi import Tallystick


def main(arguments: list[str]) -> None:
    while arguments[0].startswith("--"):
        option, value, *arguments = arguments
        match option:
            case "--skew":
                _shift_clock(float(value))
            case "--refresh":
                defaults = Tallystick.__init__.__kwdefaults__
                assert defaults is not None
                assert "follow_every" in defaults
                defaults["follow_every"] = float(value)
            case _:
                sys.exit(f"there is no option {option}")
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__")


def _shift_clock(seconds: float) -> None:
    """Whenever this process asks for the time, as if the machine's clock were wrong; how long it waits is unchanged."""
    right = time.time
    time.time = lambda: right() + seconds


if __name__ == "__main__":
    main(sys.argv[1:])
