"""The log as a log collector receives it: lines of text, each one JSON object."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tallystick_service.server.logs import QUIET, configure_logging


class LogLines(io.StringIO):
    @property
    def parsed(self) -> list[dict[str, Any]]:
        """Raises ValueError for a line that is not a JSON object."""
        return [json.loads(line) for line in self.getvalue().splitlines()]


@contextmanager
def logging_as_served(level: str) -> Iterator[LogLines]:
    """Capture the log of this process with the configuration of `serve`. Restores the old configuration at the end."""
    root = logging.getLogger()
    handlers, before = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    levels = {name: logging.getLogger(name).level for name in QUIET}
    stderr, sys.stderr = sys.stderr, LogLines()
    with warnings.catch_warnings():
        try:
            root.handlers = []
            configure_logging(level)
            yield sys.stderr
        finally:
            logging.captureWarnings(False)
            sys.stderr = stderr
            sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
            root.handlers = handlers
            root.setLevel(before)
            for name, its_level in levels.items():
                logging.getLogger(name).setLevel(its_level)
