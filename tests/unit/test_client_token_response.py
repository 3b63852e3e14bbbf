"""Responses of a token endpoint and challenges of an API, good and hostile (RFC 6749 §5, RFC 6750 §3, RFC 9110)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pickle import dumps, loads
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.client.challenge import is_invalid_token
from tallystick.client.errors import TokenError, TokenRequestRefused, TokenUnavailable
from tallystick.client.token_response import (
    MAX_LIFETIME,
    MAX_RETRY_AFTER,
    UNSTATED_LIFETIME,
    parse_token_response,
    seconds_of,
)
from tests.support.token_issuer import ABSENT

GOOD: dict[str, Any] = {"access_token": "abc", "token_type": "Bearer", "expires_in": 300}


def response(**changes: object) -> bytes:
    return json.dumps({name: value for name, value in (GOOD | changes).items() if value is not ABSENT}).encode()


@pytest.mark.parametrize(
    ("changes", "lifetime"),
    [
        ({}, 300),
        ({"token_type": "bearer"}, 300),
        ({"token_type": "BEARER", "unknown": [1]}, 300),
        ({"expires_in": 0.5}, 0.5),
        ({"expires_in": ABSENT}, UNSTATED_LIFETIME),
        ({"expires_in": 10**12}, MAX_LIFETIME),
        ({"expires_in": 10**1000}, MAX_LIFETIME),
    ],
    ids=lambda value: f"{value!s:.40}",
)
def test_lifetime_is_stated_or_short_and_is_bounded(changes: dict[str, object], lifetime: float) -> None:
    issued = parse_token_response(200, response(**changes))
    assert (issued.value, issued.lifetime) == ("abc", lifetime)
    assert "abc" not in repr(issued)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Sign in to the Wi-Fi</html>",
        b"[]",
        b"null",
        b"\xff",
        b"\xef\xbb\xbf" + response(),
        response().decode().encode("utf-16"),
        response()[:-1],
        response()[:-1] + b', "access_token": "other"}',
        response()[:-1] + b', "x": "\\ud800"}',
        response()[:-1] + b', "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        response(access_token=ABSENT),
        response(access_token=""),
        response(access_token=5),
        response(access_token=["abc"]),
        response(access_token="a b"),
        response(access_token="abc\r\nX-Admin: 1"),
        response(access_token="abc\u00e9"),
        response(access_token="a" * 20_000),
        response(token_type=ABSENT),
        response(token_type="DPoP"),
        response(token_type="mac"),
        response(token_type=5),
        response(expires_in=0),
        response(expires_in=-1),
        response(expires_in="300"),
        response(expires_in=True),
        response(expires_in=None),
        response(expires_in=[300]),
        response(expires_in=float("nan")),
        response(expires_in=float("inf")),
    ],
    ids=lambda body: repr(body[:60]) + repr(body[-30:]),
)
def test_response_without_a_usable_token_is_refused(body: bytes) -> None:
    with pytest.raises(TokenUnavailable) as refused:
        parse_token_response(200, body)
    assert "abc" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b'{"error": "invalid_scope"}', "invalid_scope: the token endpoint gave no reason"),
        (401, b'{"error": "invalid_client", "error_description": "no"}', "invalid_client: no"),
        (
            403,
            b'{"error": "access_denied", "error_description": 5}',
            "access_denied: the token endpoint gave no reason",
        ),
        (400, '{"error": "a\\u0000b", "error_description": "\\u001b[31m\\"\u202e"}'.encode(), "a?b: ?[31m??"),
        (400, b'{"error": "e", "error_description": "the secret is s3cret/%"}', "e: the secret is ***"),
    ],
)
def test_oauth_error_is_shown_in_printable_characters(status: int, body: bytes, expected: str) -> None:
    with pytest.raises(TokenRequestRefused) as refused:
        parse_token_response(status, body, confidential=["s3cret/%"])
    assert str(refused.value) == expected
    assert refused.value.status == status


@pytest.mark.parametrize("status", [100, 204, 302, 400, 401, 404, 500, 502, 599])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 5}', b'{"error": ""}', b'{"access_token": "abc"}'])
def test_response_that_is_no_oauth_error_is_reported_by_its_status(status: int, body: bytes) -> None:
    with pytest.raises(TokenUnavailable, match=f"^the token endpoint answered {status}$"):
        parse_token_response(status, body)


def test_oauth_error_with_a_server_error_status_is_temporary() -> None:
    with pytest.raises(TokenUnavailable):
        parse_token_response(500, b'{"error": "server_error"}')


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept(status: int) -> None:
    with pytest.raises(TokenUnavailable) as busy:
        parse_token_response(status, b'{"error": "temporarily_unavailable"}', retry_after="7")
    assert busy.value.retry_after == 7


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("١", None),
        ("1, 2", None),
        ("0", 0),
        (" 7 ", 7),
        ("99999999999999999999", MAX_RETRY_AFTER),
        ("9" * 100_000, MAX_RETRY_AFTER),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
    ],
    ids=lambda value: f"{value!s:.30}",
)
def test_seconds_of_retry_after_are_bounded(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header) == seconds


def test_retry_after_may_be_a_date() -> None:
    seconds = seconds_of(format_datetime(datetime.now(UTC) + timedelta(seconds=200), usegmt=True))
    assert seconds is not None
    assert 0 < seconds <= 200


@settings(deadline=None, max_examples=30)
@given(st.text() | st.builds("Sun, {} Nov {} {}:49:37 {}".format, *[st.integers(-1, 10**12)] * 4))
def test_arbitrary_retry_after_never_fails(header: str) -> None:
    seconds = seconds_of(header)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER


@settings(deadline=None, max_examples=30)
@given(st.integers(100, 599), st.binary(max_size=64) | st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
def test_arbitrary_response_is_refused(status: int, body: bytes | dict[str, str]) -> None:
    with pytest.raises(TokenError):
        parse_token_response(status, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize("copied", [lambda error: loads(dumps(error))])
@pytest.mark.parametrize("error", [TokenRequestRefused("invalid_scope", "no", 400), TokenUnavailable("down", 5.0)])
def test_errors_can_cross_processes(error: TokenError, copied: Callable[[TokenError], TokenError]) -> None:
    assert (type(copied(error)), str(copied(error)), vars(copied(error))) == (type(error), str(error), vars(error))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (['Bearer error="invalid_token"'], True),
        (["Bearer error=invalid_token"], True),
        (['bearer realm="notes, or more", ERROR = "invalid_token"'], True),
        (['Basic realm="x"', 'Bearer error="invalid_token"'], True),
        (['Negotiate, Bearer realm="a \\" b", error="invalid_token"'], True),
        (['Bearer error="invalid_token", DPoP algs="ES256"'], True),
        ([], False),
        (["Bearer"], False),
        (['Bearer realm="notes"'], False),
        (['Bearer error="insufficient_user_authentication"'], False),
        (['Bearer realm="error=\\"invalid_token\\""'], False),
        (['Bearer realm="x, error=invalid_token"'], False),
        (['DPoP error="invalid_token"'], False),
        (['Bearer realm="x", DPoP error="invalid_token"'], False),
        (['Bearer error="invalid_token' + "x" * 5000 + '"'], False),
        (['Bearer error_description="invalid_token"'], False),
        ([',,,=,=\x7f"\\'], False),
    ],
    ids=lambda value: f"{value!s:.60}",
)
def test_challenge_is_read_as_rfc_9110_defines_it(headers: list[str], expected: bool) -> None:
    pairs = [("WWW-Authenticate", header) for header in headers]
    assert is_invalid_token(httpx.Response(401, headers=pairs)) is expected
    assert not is_invalid_token(httpx.Response(403, headers=pairs))
