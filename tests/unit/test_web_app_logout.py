"""What the example app does with a logout token: OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8."""

from collections.abc import Callable

import httpx2
import pytest
from starlette.testclient import TestClient

from examples.web_app import logout_token
from examples.web_app.sessions import AppSession, Tokens, User
from tests.support.clock import MovableClock
from tests.support.token_issuer import ABSENT
from tests.support.web_app import ADA, ISSUER, FarSide, new_key
from tests.support.web_app_logout import STRANGER, check_refused, send


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


@pytest.mark.parametrize("is_away", [False, True])
def test_a_kid_that_the_issuer_could_not_be_asked_for_may_be_sent_again(
    browser: TestClient, sign: Callable[..., str], far_side: FarSide, clock: MovableClock, is_away: bool
) -> None:
    """A 400 is final to the sender, and a stranger's kid a moment before must not make us lose a logout."""
    send(browser, sign(header={"kid": "key-of-a-stranger"}))
    far_side.keys, far_side.is_away = [new_key("key-2")], is_away
    clock.advance(seconds=10 if is_away else 5)
    answer = send(browser, sign(header={"kid": "key-2"}))
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert 'id="user-name"' in browser.get("/").text
    far_side.is_away = False
    clock.advance(seconds=10)
    assert send(browser, sign(header={"kid": "key-2"})).status_code == 200


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
