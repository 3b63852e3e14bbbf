"""SIGHUP has two meanings: an operator asks for a reload, or the terminal of the program was closed."""

import os
import signal


class ControllingTerminal:
    """The terminal from which this process was started, if any. Create it before the first SIGHUP."""

    def __init__(self) -> None:
        # nohup ignores SIGHUP, so that the program continues without the terminal.
        self._ends_program = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN and _exists()

    def is_closed(self) -> bool:
        """Whether the program should end because its terminal was closed."""
        return self._ends_program and not _exists()


def _exists() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
