"""Log lines as JSON objects, one a line on stderr, for whatever collects them."""

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
    """`{"time", "level", "logger", "message"}`, with the request's id while one is served and `error` with a traceback.

    A record's `fields` (a dict given as `extra={"fields": …}`) stand beside them.
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
    except (TypeError, ValueError, KeyError):  # logging would print a traceback of its own in the line's place
        return str(record.msg)


QUIET = ("alembic", "httpx", "httpx2", "httpcore", "httpcore2", "sqlalchemy", "psycopg", "passlib", "uvicorn")
"""Whose lines below WARNING tell headers, addresses with their queries, or rows of the database."""


def configure_logging(level: str = "INFO") -> None:
    """Send every logger, warning and uncaught error of this process to stderr as JSON lines.

    Calling it again changes the level only.
    """
    # What our lines do not show need not be found out: it is half the cost of a line, and each request has one.
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
    logger.error("an error where none can be raised", exc_info=failed.exc_value)
