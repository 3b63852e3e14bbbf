"""The reason of a refused request is in one line of the log, and on the error page for the app's developers."""

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


async def test_the_error_page_shows_developers_the_reason_and_no_part_of_the_request(auth: AuthService) -> None:
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


async def test_an_error_that_is_redirected_to_the_client_is_logged(auth: AuthService) -> None:
    with logging_as_served("INFO") as log:
        response = await auth.relying_party("app-one").authorize(prompt="none")
    line = line_of(log)
    assert answer_of(response)["error"] == "login_required"
    assert (line["status"], line["error"], line["client_id"]) == (303, "login_required", "app-one")


async def test_a_denied_consent_is_logged(auth: AuthService) -> None:
    rp = auth.relying_party("third-party")
    page = await rp.sign_in()
    with logging_as_served("INFO") as log:
        await rp.browser.deny(page)
    line = line_of(log)
    assert (line["endpoint"], line["error"], line["reason"]) == ("/consent", "access_denied", "access_denied")


@pytest.mark.parametrize(
    ("client_id", "changes", "reason", "error"),
    [
        (
            "app-one",
            {"code_challenge": None, "code_challenge_method": None},
            "code_challenge_missing",
            "invalid_request",
        ),
        ("app-one", {"scope": "no-such-scope"}, "scope_unknown", "invalid_scope"),
        ("app-one", {"resource": "https://other.example"}, "resource_unknown", "invalid_target"),
        ("app-one", {"response_type": "token"}, "response_type_unsupported", "unsupported_response_type"),
    ],
)
async def test_the_line_of_a_redirected_error_has_its_reason(
    auth: AuthService, client_id: str, changes: dict[str, str | None], reason: str, error: str
) -> None:
    with logging_as_served("INFO") as log:
        response = await auth.relying_party(client_id).authorize(**changes)
    line = line_of(log)
    assert (line["status"], line["reason"], line["error"]) == (response.status_code, reason, error)


@pytest.mark.parametrize(
    ("client_id", "changes", "reason"),
    [
        ("bot", {"client_secret": "w" * 40}, "wrong_secret"),
        ("bot", {"method": "client_secret_post"}, "wrong_auth_method"),
        ("bot", {"scope": "calendar:write"}, "scope_unknown"),
        ("bot", {"resource": "https://other.example"}, "resource_unknown"),
        ("bot", {"grant_type": "password"}, "grant_unsupported"),
        ("bot", {"grant_type": "refresh_token"}, "grant_not_registered"),
    ],
)
async def test_the_line_of_a_token_error_has_its_reason_and_client(
    auth: AuthService, client_id: str, changes: dict[str, str], reason: str
) -> None:
    rp = auth.relying_party(client_id)
    registered = rp.method
    rp.client_secret = changes.pop("client_secret", rp.client_secret)
    rp.method = changes.pop("method", rp.method)  # type: ignore[assignment]
    with logging_as_served("INFO") as log:
        response = await rp.client_credentials(**changes)
    line = line_of(log)
    assert (line["endpoint"], line["status"], line["reason"], line["client_id"]) == (
        "/token",
        response.status_code,
        reason,
        client_id,
    )
    (access,) = [line for line in log.parsed if line["logger"] == "tallystick.access"]
    assert access["client_id"] == client_id
    if reason == "wrong_auth_method":
        assert (line["auth_method"], line["registered_auth_method"]) == (rp.method, registered)


async def test_the_request_log_names_the_client_that_authenticated(auth: AuthService) -> None:
    with logging_as_served("INFO") as log:
        assert (await auth.relying_party("bot").client_credentials()).status_code == 200
    (line,) = log.parsed
    assert (line["message"], line["endpoint"], line["client_id"]) == ("request", "/token", "bot")
