"""The logout tokens that the example app accepts: OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6."""

import hmac
import json
from collections.abc import Callable

import pytest
from joserfc.jwk import ECKey, RSAKey
from starlette.testclient import TestClient

from tallystick import base64url
from tests.support.clock import MovableClock
from tests.support.token_issuer import ABSENT
from tests.support.web_app import ISSUER, Upstream
from tests.support.web_app_logout import EVENT, OTHER_KEY, check_refused, is_signed_in, send


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": ABSENT},
        {"sid": ABSENT},
        {"aud": ["app-one"]},
        {"events": {EVENT: {}, "urn:other": {}}},
        {"more": [1]},
    ],
)
def test_optional_claims_are_accepted(browser: TestClient, sign: Callable[..., str], claims: dict[str, object]) -> None:
    assert send(browser, sign(**claims)).status_code == 200
    assert not is_signed_in(browser)


@pytest.mark.parametrize(("seconds", "until"), [(-60, 120), (299, 1), (100, -59)])
def test_token_is_accepted_within_the_clock_leeway(
    browser: TestClient, sign: Callable[..., str], clock: MovableClock, seconds: int, until: int
) -> None:
    assert send(browser, sign(iat=clock() - seconds, exp=clock() + until)).status_code == 200


def test_rs256_is_accepted(browser: TestClient, sign: Callable[..., str], upstream: Upstream) -> None:
    upstream.keys.append(RSAKey.generate_key(2048, {"kid": "rsa"}))
    token = sign(key=upstream.keys[1], header={"alg": "RS256", "kid": "rsa", "typ": "application/logout+jwt"})
    assert send(browser, token).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": f"{ISSUER}/"},
        {"iss": ABSENT},
        {"iss": [ISSUER]},
        {"aud": "app-two"},
        {"aud": ["app-two"]},
        {"aud": ABSENT},
        {"aud": {"app-one": 1}},
        {"nonce": "n"},
        {"nonce": None},
        {"events": ABSENT},
        {"events": {}},
        {"events": EVENT},
        {"events": [EVENT]},
        {"events": {EVENT: None}},
        {"events": {EVENT: "x"}},
        {"events": {f"{EVENT}/": {}}},
        {"sid": ABSENT, "sub": ABSENT},
        {"sid": ""},
        {"sid": 1},
        {"sid": ["login-1"]},
        {"sid": None, "sub": None},
        {"sid": ABSENT, "sub": {"a": 1}},
        {"jti": ABSENT},
        {"jti": ""},
        {"jti": 5},
        {"jti": "x" * 1025},
        {"iat": ABSENT},
        {"iat": "1"},
        {"iat": True},
        {"iat": 0},
        {"iat": 2**40},
        {"exp": ABSENT},
        {"exp": 0},
        {"exp": "9999999999"},
        {"exp": 1e300},
        {"exp": None},
        {"nbf": 2**40},
        {"more": "x" * 8192},
    ],
)
def test_invalid_claims_are_refused(browser: TestClient, sign: Callable[..., str], claims: dict[str, object]) -> None:
    check_refused(browser, send(browser, sign(**claims)))


def test_token_that_is_too_old_or_expired_or_from_the_future_is_refused(
    browser: TestClient, sign: Callable[..., str], clock: MovableClock
) -> None:
    check_refused(browser, send(browser, sign(iat=clock() - 301)))
    check_refused(browser, send(browser, sign(exp=clock() - 60)))
    check_refused(browser, send(browser, sign(iat=clock() + 61)))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": ABSENT},
        {"typ": "JWT"},
        {"typ": "at+jwt"},
        {"typ": ["logout+jwt"]},
        {"typ": 5},
        {"kid": "key-2"},
    ],
)
def test_invalid_headers_are_refused(browser: TestClient, sign: Callable[..., str], header: dict[str, object]) -> None:
    check_refused(browser, send(browser, sign(header=header)))


def test_signature_of_another_key_with_the_same_kid_is_refused(browser: TestClient, sign: Callable[..., str]) -> None:
    check_refused(browser, send(browser, sign(key=OTHER_KEY)))


def test_missing_signature_and_hmac_with_the_public_key_are_refused(
    browser: TestClient, sign: Callable[..., str], upstream: Upstream
) -> None:
    key = upstream.keys[0]
    assert isinstance(key, ECKey)
    for secret in (key.as_pem(private=False), json.dumps(key.as_dict(private=False)).encode(), b""):
        signed, _, _ = sign(header={"alg": "HS256"}).rpartition(".")
        signature = base64url.encode(hmac.digest(secret, signed.encode(), "sha256"))
        check_refused(browser, send(browser, f"{signed}.{signature}"))
    unsigned, _, _ = sign(header={"alg": "none"}).rpartition(".")
    check_refused(browser, send(browser, f"{unsigned}."))
    header, payload, _ = sign().split(".")
    check_refused(browser, send(browser, f"{header}.{payload}."))
    check_refused(browser, send(browser, f"{header}.{payload}"))


def test_algorithm_other_than_es256_and_rs256_is_refused(
    browser: TestClient, sign: Callable[..., str], upstream: Upstream
) -> None:
    upstream.keys.append(RSAKey.generate_key(2048, {"kid": "rsa"}))
    check_refused(browser, send(browser, sign(key=upstream.keys[1], header={"alg": "PS256", "kid": "rsa"})))


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "....", "x" * 8193, "é.é.é", "\x00", "e30.e30.e30"])
def test_malformed_token_is_refused(browser: TestClient, token: str) -> None:
    check_refused(browser, send(browser, token))


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"ES256","kid":"key-1","typ":"logout+jwt","crit":["x"],"x":1}',
        '{"alg":"ES256","kid":"key-1","typ":"logout+jwt","crit":null}',
        '{"alg":"ES256","kid":1,"typ":"logout+jwt"}',
        '{"alg":["ES256"]}',
        '{"alg":{}}',
        '{"alg":null}',
        "[]",
        "5",
        '{"alg":"ES256","kid":{}}',
        '{"alg":"RS256"}',
        "{",
    ],
)
def test_malformed_header_is_refused(browser: TestClient, sign: Callable[..., str], header: str) -> None:
    _, payload, signature = sign().split(".")
    check_refused(browser, send(browser, f"{base64url.encode(header.encode())}.{payload}.{signature}"))
