"""What an issuer sends to examples/web_app when a login has ended, and what others might."""

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
from tests.support.web_app import ADA, ISSUER, FarSide, new_key

EVENT = "http://schemas.openid.net/event/backchannel-logout"
STRANGER = new_key("key-1")
"""Of the same name as the issuer's, but another."""


def changed(good: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**good, **changes}.items() if value is not ABSENT}


@pytest.fixture
def sign(far_side: FarSide, clock: MovableClock) -> Callable[..., str]:
    """A good logout token for Ada's login, but for the claims that are changed, and what is in `header`."""

    def sign(*, key: Key | None = None, header: dict[str, object] | None = None, **claims: object) -> str:
        good: dict[str, object] = {
            "iss": ISSUER,
            "aud": "app-one",
            "iat": clock(),
            "exp": clock() + 120,
            "jti": "logout-1",
            "events": {EVENT: {}},
            "sid": "login-1",
            "sub": ADA.sub,
        }
        full = changed({"alg": "ES256", "kid": "key-1", "typ": "logout+jwt"}, header or {})
        payload, by = json.dumps(changed(good, claims)), key or far_side.keys[0]
        if isinstance(by, ECKey):  # a careless hand, since joserfc signs no header that it would not take
            assert by.private_key is not None
            return jws(json.dumps(full), payload, SigningKey("", "ES256", by.private_key))
        return serialize_compact(full, payload, by, algorithms=["RS256", "PS256"])

    return sign


def send(browser: TestClient, token: str) -> httpx2.Response:
    """As the issuer does: without the browser's cookies."""
    return browser.post("/backchannel-logout", data={"logout_token": token}, headers={"Cookie": ""})


def is_signed_in(browser: TestClient) -> bool:
    return 'id="user-name"' in browser.get("/").text


def check_refused(browser: TestClient, answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert is_signed_in(browser)
