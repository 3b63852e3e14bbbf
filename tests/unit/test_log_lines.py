"""Every log line of a service is one JSON object, also those of libraries."""

import logging
import sys
import threading
import warnings

import pytest

from tallystick.request_id import own_request_id
from tests.support.log_lines import logging_as_served


def test_warning_is_a_json_line() -> None:
    with logging_as_served("INFO") as log:
        warnings.simplefilter("always")
        warnings.warn("deprecated\nand in two lines", DeprecationWarning, stacklevel=1)
    (line,) = log.parsed
    assert line["level"] == "warning"
    assert "deprecated\nand in two lines" in line["message"]


def test_warnings_of_uvicorn_and_libraries_are_json_lines() -> None:
    with logging_as_served("DEBUG") as log:
        for name in ("uvicorn", "uvicorn.error", "sqlalchemy.engine", "httpcore"):
            logging.getLogger(name).debug("every header and row")
            logging.getLogger(name).error("cannot")
    assert [(line["level"], line["message"]) for line in log.parsed] == [("error", "cannot")] * 4


def test_traceback_is_inside_a_json_line() -> None:
    with logging_as_served("INFO") as log:
        try:
            raise ValueError("two\nlines")
        except ValueError:
            logging.getLogger("any").exception("unexpected")
            sys.excepthook(*sys.exc_info())
    first, second = log.parsed
    assert (first["message"], second["message"]) == ("unexpected", "uncaught error")
    for line in (first, second):
        assert "Traceback" in line["error"]
        assert "ValueError: two\nlines" in line["error"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_uncaught_error_in_a_thread_is_a_json_line() -> None:
    def fail() -> None:
        raise ValueError("an unexpected failure")

    with logging_as_served("INFO") as log:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    (line,) = log.parsed
    assert "an unexpected failure" in line["error"]


def test_message_that_cannot_be_formatted_is_a_json_line() -> None:
    with logging_as_served("INFO") as log:
        logging.getLogger("any").error("%d of %d", "one")
        logging.getLogger("any").error("%s", object(), extra={"fields": {"what": object(), "text": "\ud800\n"}})
    assert [line["message"].partition(" at ")[0] for line in log.parsed] == ["%d of %d", "<object object"]


def test_lines_of_one_request_have_its_id() -> None:
    with logging_as_served("INFO") as log:
        with own_request_id() as first:
            logging.getLogger("any").info("within")
        logging.getLogger("any").info("outside")
        with own_request_id() as second:
            logging.getLogger("any").info("within another")
    assert [line.get("request_id") for line in log.parsed] == [first, None, second]
    assert first != second
