"""Why a request was refused stands in one line of the log, and on the error page for the app's developers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.log_lines import LogLines, logging_as_served
from tests.support.relying_party import answer_of


@pytest.fixture
async def auth(auth_sqlite_url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_sqlite_url, clock) as running:
        yield running


def line_of(log: LogLines) -> dict[str, Any]:
    """The one refusal that was logged."""
    (line,) = [line for line in log.parsed if line["message"] == "refused"]
    return line


async def test_an_unregistered_redirect_uri_is_named_without_its_query(auth: AuthService) -> None:
    with logging_as_served("INFO") as log:
        page = await auth.relying_party("app-one").authorize(redirect_uri="https://evil.example/cb?token=abc")
    line = line_of(log)
    assert page.status_code == 400
    assert (line["endpoint"], line["error"], line["reason"], line["client_id"], line["refused_address"]) == (
        "/authorize",
        "invalid_request",
        "redirect_uri_unregistered",
        "app-one",
        "https://evil.example/cb",
    )
    assert line["request_id"] == page.headers["x-request-id"]


async def test_the_error_page_tells_developers_the_reason_and_reflects_nothing(auth: AuthService) -> None:
    page = await auth.relying_party("app-one").authorize(redirect_uri="https://evil.example/<script>alert(1)</script>")
    assert '<code id="reason">redirect_uri_unregistered</code>' in page.text
    assert "Register this redirect_uri for the client" in page.text
    assert page.headers["x-request-id"] in page.text
    assert "evil.example" not in page.text
    assert "<script" not in page.text


async def test_a_client_id_that_is_not_registered_is_not_logged(auth: AuthService) -> None:
    with logging_as_served("DEBUG") as log:
        await auth.relying_party("app-one").authorize(client_id="ada@example.com")
    assert line_of(log)["reason"] == "client_unknown"
    assert "ada@example.com" not in log.getvalue()


async def test_an_error_that_goes_back_to_the_client_is_logged(auth: AuthService) -> None:
    with logging_as_served("INFO") as log:
        response = await auth.relying_party("app-one").authorize(prompt="none")
    line = line_of(log)
    assert answer_of(response)["error"] == "login_required"
    assert (line["status"], line["error"], line["client_id"]) == (303, "login_required", "app-one")


async def test_a_user_who_denies_is_logged(auth: AuthService) -> None:
    rp = auth.relying_party("third-party")
    page = await rp.sign_in()
    with logging_as_served("INFO") as log:
        await rp.browser.deny(page)
    line = line_of(log)
    assert (line["endpoint"], line["error"], line["reason"]) == ("/consent", "access_denied", "access_denied")
