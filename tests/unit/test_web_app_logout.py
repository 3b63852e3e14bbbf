"""The example app as a receiver of logout tokens: OpenID Connect Back-Channel Logout 1.0 §2.4 to §2.8."""

import hmac
import json
from collections.abc import Callable

import httpx2
import pytest
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import serialize_compact
from starlette.testclient import TestClient

from examples.web_app import logout_token
from examples.web_app.sessions import AppSession, Tokens, User
from tallystick import base64url
from tallystick.jwk import SigningKey
from tests.support.clock import MovableClock
from tests.support.token_issuer import jws
from tests.support.web_app import ADA, ISSUER, FarSide, new_key

EVENT = "http://schemas.openid.net/event/backchannel-logout"
ABSENT = object()
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


def test_a_logout_token_ends_the_app_session_and_the_browser_is_told(
    browser: TestClient, sign: Callable[..., str]
) -> None:
    answer = send(browser, sign())
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    page = browser.get("/")
    assert page.status_code == 200
    assert "Your login has ended, perhaps because you signed out somewhere else" in page.text
    assert "Your login has ended" not in browser.get("/").text, "said once"


@pytest.mark.parametrize("path", ["/notes", "/notes/1/delete", "/delete-all-notes", "/sign-out"])
def test_a_form_of_a_session_that_ended_leads_to_the_same_words(
    browser: TestClient, app_session: AppSession, sign: Callable[..., str], far_side: FarSide, path: str
) -> None:
    send(browser, sign())
    answer = browser.post(path, data={"csrf_token": app_session.csrf_token, "title": "T"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Your login has ended" in browser.get("/").text
    assert far_side.bearers == far_side.deletions == []


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
def test_what_the_specification_leaves_open_is_accepted(
    browser: TestClient, sign: Callable[..., str], claims: dict[str, object]
) -> None:
    assert send(browser, sign(**claims)).status_code == 200
    assert not is_signed_in(browser)


@pytest.mark.parametrize(("seconds", "until"), [(-60, 120), (299, 1), (100, -59)])
def test_clocks_may_differ(
    browser: TestClient, sign: Callable[..., str], clock: MovableClock, seconds: int, until: int
) -> None:
    assert send(browser, sign(iat=clock() - seconds, exp=clock() + until)).status_code == 200


def test_rs256_is_accepted(browser: TestClient, sign: Callable[..., str], far_side: FarSide) -> None:
    far_side.keys.append(RSAKey.generate_key(2048, {"kid": "rsa"}))
    token = sign(key=far_side.keys[1], header={"alg": "RS256", "kid": "rsa", "typ": "application/logout+jwt"})
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
def test_other_claims_are_refused(browser: TestClient, sign: Callable[..., str], claims: dict[str, object]) -> None:
    check_refused(browser, send(browser, sign(**claims)))


def test_a_token_too_old_or_expired_is_refused(
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
def test_other_headers_are_refused(browser: TestClient, sign: Callable[..., str], header: dict[str, object]) -> None:
    check_refused(browser, send(browser, sign(header=header)))


def test_another_key_of_the_same_name_is_refused(browser: TestClient, sign: Callable[..., str]) -> None:
    check_refused(browser, send(browser, sign(key=STRANGER)))


def test_no_signature_and_signatures_by_the_public_key_are_refused(
    browser: TestClient, sign: Callable[..., str], far_side: FarSide
) -> None:
    key = far_side.keys[0]
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


def test_an_algorithm_that_is_not_ours_is_refused(
    browser: TestClient, sign: Callable[..., str], far_side: FarSide
) -> None:
    far_side.keys.append(RSAKey.generate_key(2048, {"kid": "rsa"}))
    check_refused(browser, send(browser, sign(key=far_side.keys[1], header={"alg": "PS256", "kid": "rsa"})))


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "....", "x" * 8193, "é.é.é", "\x00", "e30.e30.e30"])
def test_what_is_no_token_is_refused(browser: TestClient, token: str) -> None:
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
def test_a_strange_header_is_refused(browser: TestClient, sign: Callable[..., str], header: str) -> None:
    _, payload, signature = sign().split(".")
    check_refused(browser, send(browser, f"{base64url.encode(header.encode())}.{payload}.{signature}"))


@pytest.mark.parametrize("fault", ["two", "query", "json", "multipart", "many"])
def test_a_request_that_is_not_a_form_with_one_token_is_refused(
    browser: TestClient, sign: Callable[..., str], fault: str
) -> None:
    token, url = sign(), "/backchannel-logout"
    answers = {
        "two": lambda: browser.post(url, data={"logout_token": [token, token]}),
        "query": lambda: browser.post(url, params={"logout_token": token}),
        "json": lambda: browser.post(url, json={"logout_token": token}),
        "multipart": lambda: browser.post(url, files={"logout_token": token}),
        "many": lambda: browser.post(url, data={"logout_token": token} | {str(n): "" for n in range(99)}),
    }
    check_refused(browser, answers[fault]())


def test_a_token_counts_once(browser: TestClient, sign: Callable[..., str], clock: MovableClock) -> None:
    token = sign(sid=ABSENT)
    assert send(browser, token).status_code == 200
    browser.cookies.set("session", open_session(browser, sub=ADA.sub), domain="app-one.localhost")
    for _ in range(3):
        check_refused(browser, send(browser, token))
        clock.advance(seconds=59)
    assert send(browser, sign(sid=ABSENT, jti="logout-2")).status_code == 200


def test_what_was_refused_does_not_use_up_its_jti(browser: TestClient, sign: Callable[..., str]) -> None:
    check_refused(browser, send(browser, sign(key=STRANGER)))
    check_refused(browser, send(browser, sign(aud="app-two")))
    assert send(browser, sign()).status_code == 200


def test_what_is_remembered_is_bounded(
    browser: TestClient, sign: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logout_token, "MOST", 2)
    for number in range(3):
        assert send(browser, sign(jti=f"logout-{number}")).status_code == 200
    assert send(browser, sign(jti="logout-2")).status_code == 400
    assert send(browser, sign(jti="logout-1")).status_code == 400
    assert send(browser, sign(jti="logout-0")).status_code == 200, "the oldest made room"


def open_session(browser: TestClient, *, sub: str, sid: str | None = None) -> str:
    session = AppSession(User(sub, "N", "n@example.com"), Tokens("a", 2**40, None, "i"), sid=sid)
    cookie: str = browser.app.state.services.sessions.open(session)  # type: ignore[attr-defined]
    return cookie


def test_it_ends_the_sessions_of_that_login_or_of_that_user_and_no_other(
    browser: TestClient, sign: Callable[..., str]
) -> None:
    sessions = browser.app.state.services.sessions  # type: ignore[attr-defined]
    same, other, without = (open_session(browser, sub=ADA.sub, sid=sid) for sid in ("login-1", "login-2", None))
    somebody = open_session(browser, sub="sub-of-grace", sid="login-3")
    send(browser, sign())
    assert [sessions.find(cookie) is not None for cookie in (same, other, without, somebody)] == [
        False,
        True,
        True,
        True,
    ]
    send(browser, sign(sid=ABSENT, jti="logout-2"))
    assert [sessions.find(cookie) is not None for cookie in (other, without, somebody)] == [False, False, True]


def test_a_new_key_is_fetched_and_strangers_cannot_make_us_ask_often(
    browser: TestClient, sign: Callable[..., str], far_side: FarSide, clock: MovableClock
) -> None:
    check_refused(browser, send(browser, sign(key=STRANGER)))
    asked = far_side.key_requests
    for number in range(20):
        check_refused(browser, send(browser, sign(header={"kid": f"key-{number + 2}"})))
    assert far_side.key_requests == asked
    clock.advance(seconds=10)
    far_side.keys = [new_key("key-2")]
    assert send(browser, sign(header={"kid": "key-2"})).status_code == 200
    assert far_side.key_requests == asked + 1


def test_a_withdrawn_key_is_believed_for_five_minutes_at_most(
    browser: TestClient, sign: Callable[..., str], far_side: FarSide, clock: MovableClock
) -> None:
    withdrawn = far_side.keys[0]
    check_refused(browser, send(browser, sign(aud="app-two")))
    far_side.keys = [new_key("key-2")]
    clock.advance(seconds=300)
    check_refused(browser, send(browser, sign(key=withdrawn)))


def test_while_the_issuer_is_away_its_known_keys_stay(
    browser: TestClient, sign: Callable[..., str], far_side: FarSide, clock: MovableClock
) -> None:
    check_refused(browser, send(browser, sign(aud="app-two")))
    far_side.is_away = True
    clock.advance(seconds=300)
    assert send(browser, sign()).status_code == 200


def test_without_any_key_the_issuer_may_send_it_again(
    browser: TestClient, sign: Callable[..., str], far_side: FarSide, clock: MovableClock
) -> None:
    far_side.is_away = True
    token = sign()
    answer = send(browser, token)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (503, "no-store")
    far_side.is_away = False
    clock.advance(seconds=10)
    assert send(browser, token).status_code == 200


def test_the_login_is_remembered_from_the_id_token(browser: TestClient, far_side: FarSide) -> None:
    location = browser.get("/sign-in").headers["location"]
    query = dict(httpx2.URL(location).params)
    far_side.id_claims = {"sub": "sub-of-grace", "nonce": query["nonce"], "sid": "login-9"}
    browser.get("/callback", params={"code": "c", "state": query["state"], "iss": ISSUER})
    session = browser.app.state.services.sessions.find(browser.cookies["session"])  # type: ignore[attr-defined]
    assert session.sid == "login-9"
