"""The log of refusals: one line each, a bound on the lines, and no text of the caller."""

import pytest
from starlette.types import Scope

from auth_service.telemetry.metrics import AuthMetrics
from auth_service.telemetry.refusal_log import LineLimit, RefusalLog
from tallystick.errors import InvalidClient
from tallystick.urls import MAX_PRINTED_ADDRESS, printable_address
from tallystick_service.asgi.request_facts import RequestFacts, request_facts
from tests.support.log_lines import LogLines, logging_as_served


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def scope_from(address: str) -> Scope:
    return {"type": "http", "path": "/token", "client": (address, 1234)}


def refusals(log: LogLines) -> list[dict[str, object]]:
    return [line for line in log.parsed if line["message"] == "refused"]


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def refusal_log(clock: Seconds) -> RefusalLog:
    return RefusalLog(AuthMetrics(None, version="1", endpoints=["/token"]), clock)


def test_refusal_line_contains_only_the_known_facts(refusal_log: RefusalLog) -> None:
    scope = scope_from("192.0.2.1")
    token = request_facts.set(RequestFacts(scope, client_id="bot", auth_method="client_secret_post"))
    try:
        with logging_as_served("INFO") as log:
            refusal_log.write(scope, InvalidClient("failed", reason="wrong_auth_method"), status=401)
    finally:
        request_facts.reset(token)
    (line,) = log.parsed
    del line["time"]
    assert line == {
        "level": "info",
        "logger": "tallystick.refusals",
        "message": "refused",
        "endpoint": "/token",
        "status": 401,
        "error": "invalid_client",
        "reason": "wrong_auth_method",
        "client_id": "bot",
        "auth_method": "client_secret_post",
    }


def test_one_address_writes_a_burst_and_then_one_line_a_second(refusal_log: RefusalLog, clock: Seconds) -> None:
    with logging_as_served("INFO") as log:
        for _ in range(1000):
            refusal_log.write(scope_from("192.0.2.1"), InvalidClient(), status=401)
            clock.now += 0.01
    assert len(refusals(log)) == pytest.approx(LineLimit.BURST + 10, abs=1)


def test_refusals_of_one_address_do_not_hide_those_of_another(refusal_log: RefusalLog) -> None:
    with logging_as_served("INFO") as log:
        for number in range(500):
            refusal_log.write(scope_from(f"2001:db8:1:{number:x}::1"), InvalidClient(), status=401)  # one /48
        refusal_log.write(scope_from("192.0.2.2"), InvalidClient(reason="wrong_secret"), status=401)
    lines = refusals(log)
    assert len(lines) == LineLimit.BURST + 1
    assert lines[-1]["reason"] == "wrong_secret"


def test_lines_of_all_addresses_together_are_bounded(refusal_log: RefusalLog, clock: Seconds) -> None:
    with logging_as_served("INFO") as log:
        for number in range(5000):
            address = f"198.51.{number // 250}.{number % 250}"
            refusal_log.write(scope_from(address), InvalidClient(), status=401)
        clock.now += 1
        for number in range(5000):
            address = f"203.0.{number // 250}.{number % 250}"
            refusal_log.write(scope_from(address), InvalidClient(), status=401)
    assert len(refusals(log)) == LineLimit.TOTAL_BURST + LineLimit.TOTAL_RATE


def test_number_of_suppressed_lines_is_logged(refusal_log: RefusalLog, clock: Seconds) -> None:
    with logging_as_served("INFO") as log:
        for _ in range(LineLimit.BURST + 7):
            refusal_log.write(scope_from("192.0.2.1"), InvalidClient(), status=401)
        clock.now += RefusalLog.REPORT_INTERVAL
        refusal_log.write(scope_from("192.0.2.2"), InvalidClient(), status=401)
    (report,) = [line for line in log.parsed if line["message"] == "refusals left out of the log"]
    assert report["count"] == 7


def test_number_of_remembered_addresses_is_bounded(clock: Seconds) -> None:
    limit = LineLimit(clock)
    for number in range(LineLimit.MAX_SITES + 100):
        clock.now += 1
        assert limit.allows(str(number))
    assert len(limit._empty_at) == LineLimit.MAX_SITES


@pytest.mark.parametrize(
    ("uri", "logged"),
    [
        ("https://app.example/cb?code=c0de#access_token=t", "https://app.example/cb"),
        ("https://ada:pass@app.example:8443/cb", "https://app.example:8443/cb"),
        ("com.example.app:/cb?x=y", "com.example.app:/cb"),
        ("https://app.example/\r\nforged: line", "https://app.example/forged:%20line"),
        ("https://app.example/\u202eevil\x1b[31m", "https://app.example/%E2%80%AEevil%1B[31m"),
        ("javascript:alert(document.cookie)", "(not an absolute URI)"),
        ("mailto:ada@example.com", "(not an absolute URI)"),
        ("ada@example.com", "(not an absolute URI)"),
        ("https://[::1", "(malformed)"),
        ("https://app.example/\ud800", "https://app.example/?"),
    ],
)
def test_refused_address_is_logged_without_user_query_and_fragment(uri: str, logged: str) -> None:
    assert printable_address(uri) == logged


def test_logged_address_is_bounded() -> None:
    assert len(printable_address("https://app.example/" + "a" * 100_000)) <= MAX_PRINTED_ADDRESS + 3
