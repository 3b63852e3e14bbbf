"""Log lines as JSON objects on stderr, one object per line."""

import json
import logging
import sys
import threading
import time
from types import TracebackType

from tallystick.request_id import request_id

logger = logging.getLogger(__name__)

_to_json = json.JSONEncoder(default=str).encode


class JSONLines(logging.Formatter):
    """`{"time", "level", "logger", "message"}`, `request_id` during a request, and `error` with a traceback.

    A record's `fields` (a dict passed as `extra={"fields": …}`) are added to the object.
    """

    def __init__(self) -> None:
        super().__init__()
        self._second = 0
        self._second_as_text = ""

    def _time(self, record: logging.LogRecord) -> str:
        second = int(record.created)
        if second != self._second:
            self._second, self._second_as_text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_as_text}.{int(record.msecs):03}Z"

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self._time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if current := request_id.get():
            line["request_id"] = current
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return _to_json(line)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # logging would print its own traceback in place of the line
        return str(record.msg)


QUIET = ("alembic", "httpx", "httpx2", "httpcore", "httpcore2", "sqlalchemy", "psycopg", "passlib", "uvicorn")
"""Loggers whose lines below WARNING contain headers, URLs with their queries, or database rows."""


def configure_logging(level: str = "INFO") -> None:
    """Send every logger, warning and uncaught error of this process to stderr as JSON lines.

    Calling it again changes the level only.
    """
    # Our lines do not show caller, thread and process. Collecting them is half of the cost of a line.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable
    for quiet in QUIET:
        logging.getLogger(quiet).setLevel(logging.WARNING)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logger.critical("uncaught error", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    logger.critical("uncaught error in a thread", exc_info=failed.exc_value)


def _log_unraisable(failed: "sys.UnraisableHookArgs") -> None:
    logger.error("an error that could not be raised", exc_info=failed.exc_value)
