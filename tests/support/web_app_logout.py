"""Valid and invalid logout tokens for examples/web_app."""

import json
from collections.abc import Callable

import httpx2
import pytest
from joserfc.jwk import ECKey, Key
from joserfc.jws import serialize_compact
from starlette.testclient import TestClient

from tallystick.jwk import SigningKey
from tests.support.clock import MovableClock
from tests.support.token_issuer import ABSENT, jws
from tests.support.web_app import ADA, ISSUER, Upstream, new_key

EVENT = "http://schemas.openid.net/event/backchannel-logout"
OTHER_KEY = new_key("key-1")
"""Another key with the same kid as the issuer's."""


def _changed(valid: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**valid, **changes}.items() if value is not ABSENT}


@pytest.fixture
def sign(upstream: Upstream, clock: MovableClock) -> Callable[..., str]:
    """Returns a logout token for Ada's login. Keyword arguments change its claims, `header` its header."""

    def sign(*, key: Key | None = None, header: dict[str, object] | None = None, **claims: object) -> str:
        valid: dict[str, object] = {
            "iss": ISSUER,
            "aud": "app-one",
            "iat": clock(),
            "exp": clock() + 120,
            "jti": "logout-1",
            "events": {EVENT: {}},
            "sid": "login-1",
            "sub": ADA.sub,
        }
        full = _changed({"alg": "ES256", "kid": "key-1", "typ": "logout+jwt"}, header or {})
        payload, by = json.dumps(_changed(valid, claims)), key or upstream.keys[0]
        if isinstance(by, ECKey):  # joserfc refuses to sign an invalid header
            assert by.private_key is not None
            return jws(json.dumps(full), payload, SigningKey("", "ES256", by.private_key))
        return serialize_compact(full, payload, by, algorithms=["RS256", "PS256"])

    return sign


def send(browser: TestClient, token: str) -> httpx2.Response:
    """Send the token as the issuer does, without the browser's cookies."""
    return browser.post("/backchannel-logout", data={"logout_token": token}, headers={"Cookie": ""})


def is_signed_in(browser: TestClient) -> bool:
    return 'id="user-name"' in browser.get("/").text


def check_refused(browser: TestClient, answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert is_signed_in(browser)
