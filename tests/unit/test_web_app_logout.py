"""Back-channel logout at the example app: OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8."""

from collections.abc import Callable

import httpx2
import pytest
from starlette.testclient import TestClient

from examples.web_app.sessions import AppSession, Tokens, User
from tests.support.clock import MovableClock
from tests.support.token_issuer import ABSENT
from tests.support.web_app import ADA, ISSUER, Upstream, find_session, new_key, open_session
from tests.support.web_app_logout import OTHER_KEY, check_refused, send


def test_logout_token_ends_the_app_session_and_the_next_page_shows_it(
    browser: TestClient, sign: Callable[..., str]
) -> None:
    answer = send(browser, sign())
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    page = browser.get("/")
    assert page.status_code == 200
    assert "Your login has ended, perhaps because you signed out somewhere else" in page.text
    assert "Your login has ended" not in browser.get("/").text, "shown once"


@pytest.mark.parametrize("path", ["/notes", "/notes/1/delete", "/delete-all-notes", "/sign-out"])
def test_form_of_an_ended_session_leads_to_the_same_message(
    browser: TestClient, app_session: AppSession, sign: Callable[..., str], upstream: Upstream, path: str
) -> None:
    send(browser, sign())
    answer = browser.post(path, data={"csrf_token": app_session.csrf_token, "title": "T"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Your login has ended" in browser.get("/").text
    assert upstream.bearers == upstream.deletions == []


@pytest.mark.parametrize("fault", ["two", "query", "json", "multipart", "many"])
def test_request_other_than_a_form_with_one_token_is_refused(
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


def test_token_is_accepted_once(browser: TestClient, sign: Callable[..., str], clock: MovableClock) -> None:
    token = sign(sid=ABSENT)
    assert send(browser, token).status_code == 200
    browser.cookies.set("session", new_session(browser, sub=ADA.sub), domain="app-one.localhost")
    for _ in range(3):
        check_refused(browser, send(browser, token))
        clock.advance(seconds=59)
    assert send(browser, sign(sid=ABSENT, jti="logout-2")).status_code == 200


def test_refused_token_does_not_use_its_jti(browser: TestClient, sign: Callable[..., str]) -> None:
    check_refused(browser, send(browser, sign(key=OTHER_KEY)))
    check_refused(browser, send(browser, sign(aud="app-two")))
    assert send(browser, sign()).status_code == 200


def test_number_of_remembered_jti_is_limited(browser: TestClient, sign: Callable[..., str]) -> None:
    browser.app.state.services.sessions.max_logout_tokens = 2  # type: ignore[attr-defined]
    for number in range(3):
        assert send(browser, sign(jti=f"logout-{number}")).status_code == 200
    assert send(browser, sign(jti="logout-2")).status_code == 400
    assert send(browser, sign(jti="logout-1")).status_code == 400
    assert send(browser, sign(jti="logout-0")).status_code == 200, "the oldest was forgotten"


def new_session(browser: TestClient, *, sub: str, sid: str | None = None) -> str:
    return open_session(browser, AppSession(User(sub, "N", "n@example.com"), Tokens("a", 2**40, None, "i"), sid=sid))


def test_token_ends_only_the_sessions_of_its_login_or_of_its_user(
    browser: TestClient, sign: Callable[..., str]
) -> None:
    same, other, without = (new_session(browser, sub=ADA.sub, sid=sid) for sid in ("login-1", "login-2", None))
    other_user = new_session(browser, sub="sub-of-grace", sid="login-3")
    send(browser, sign())
    assert [find_session(browser, cookie) is not None for cookie in (same, other, without, other_user)] == [
        False,
        True,
        True,
        True,
    ]
    send(browser, sign(sid=ABSENT, jti="logout-2"))
    assert [find_session(browser, cookie) is not None for cookie in (other, without, other_user)] == [
        False,
        False,
        True,
    ]


def test_unknown_kid_causes_one_fetch_of_the_keys_in_ten_seconds(
    browser: TestClient, sign: Callable[..., str], upstream: Upstream, clock: MovableClock
) -> None:
    check_refused(browser, send(browser, sign(key=OTHER_KEY)))
    requests = upstream.key_requests
    for number in range(20):
        check_refused(browser, send(browser, sign(header={"kid": f"key-{number + 2}"})))
    assert upstream.key_requests == requests
    clock.advance(seconds=10)
    upstream.keys = [new_key("key-2")]
    assert send(browser, sign(header={"kid": "key-2"})).status_code == 200
    assert upstream.key_requests == requests + 1


@pytest.mark.parametrize("is_down", [False, True])
def test_token_with_a_kid_that_could_not_be_fetched_may_be_sent_again(
    browser: TestClient, sign: Callable[..., str], upstream: Upstream, clock: MovableClock, is_down: bool
) -> None:
    """After a 400 the issuer does not try again, so an earlier invented kid must not cause one."""
    send(browser, sign(header={"kid": "an-invented-kid"}))
    upstream.keys, upstream.is_down = [new_key("key-2")], is_down
    clock.advance(seconds=10 if is_down else 5)
    answer = send(browser, sign(header={"kid": "key-2"}))
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert 'id="user-name"' in browser.get("/").text
    upstream.is_down = False
    clock.advance(seconds=10)
    assert send(browser, sign(header={"kid": "key-2"})).status_code == 200


def test_withdrawn_key_is_accepted_for_five_minutes_at_most(
    browser: TestClient, sign: Callable[..., str], upstream: Upstream, clock: MovableClock
) -> None:
    withdrawn = upstream.keys[0]
    check_refused(browser, send(browser, sign(aud="app-two")))
    upstream.keys = [new_key("key-2")]
    clock.advance(seconds=300)
    check_refused(browser, send(browser, sign(key=withdrawn)))


def test_known_keys_are_used_while_the_issuer_is_down(
    browser: TestClient, sign: Callable[..., str], upstream: Upstream, clock: MovableClock
) -> None:
    check_refused(browser, send(browser, sign(aud="app-two")))
    upstream.is_down = True
    clock.advance(seconds=300)
    assert send(browser, sign()).status_code == 200


def test_without_keys_the_token_may_be_sent_again(
    browser: TestClient, sign: Callable[..., str], upstream: Upstream, clock: MovableClock
) -> None:
    upstream.is_down = True
    token = sign()
    answer = send(browser, token)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (503, "no-store")
    upstream.is_down = False
    clock.advance(seconds=10)
    assert send(browser, token).status_code == 200


def test_app_session_has_the_sid_of_the_id_token(browser: TestClient, upstream: Upstream) -> None:
    location = browser.get("/sign-in").headers["location"]
    query = dict(httpx2.URL(location).params)
    upstream.id_claims = {"sub": "sub-of-grace", "nonce": query["nonce"], "sid": "login-9"}
    browser.get("/callback", params={"code": "c", "state": query["state"], "iss": ISSUER})
    session = find_session(browser, browser.cookies["session"])
    assert session is not None
    assert session.sid == "login-9"
