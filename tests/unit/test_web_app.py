"""The example app: one refresh at a time, patience while the issuer is away, forms that only its own pages send."""

import asyncio
import re

import httpx2
import pytest
from starlette.testclient import TestClient

from examples.web_app import sessions
from examples.web_app.access import Access, access_for
from examples.web_app.errors import SessionEnded, Unreachable
from examples.web_app.provider import Provider
from examples.web_app.sessions import AppSession, AppSessions
from examples.web_app.settings import Settings
from tests.support.clock import MovableClock
from tests.support.web_app import APP, ISSUER, FarSide


@pytest.fixture
def access(app_session: AppSession, app_settings: Settings, far_side: FarSide, clock: MovableClock) -> Access:
    return access_for(app_session, Provider(app_settings, clock, httpx2.MockTransport(far_side)), clock)


async def test_a_young_access_token_is_used_as_it_is(access: Access, far_side: FarSide) -> None:
    assert await access(None) == "access-1"
    assert far_side.token_requests == 0


async def test_requests_at_once_refresh_once(access: Access, far_side: FarSide, clock: MovableClock) -> None:
    clock.advance(seconds=290)
    assert await asyncio.gather(*(access(None) for _ in range(6))) == ["access-2"] * 6
    assert far_side.token_requests == 1


async def test_a_token_that_the_api_refused_is_replaced_however_young(access: Access) -> None:
    assert await access("access-1") == "access-2"
    assert await access("access-1") == "access-2", "the refused one is gone already"


async def test_while_the_issuer_is_away_a_living_token_goes_on(
    access: Access, far_side: FarSide, clock: MovableClock
) -> None:
    far_side.is_away = True
    clock.advance(seconds=299)
    assert await access(None) == "access-1"
    clock.advance(seconds=1)
    with pytest.raises(Unreachable):
        await access(None)


async def test_a_dead_token_family_ends_the_app_session(access: Access, far_side: FarSide, clock: MovableClock) -> None:
    far_side.generation = 7
    clock.advance(seconds=300)
    with pytest.raises(SessionEnded):
        await access(None)


def test_the_page_shows_who_is_signed_in_and_no_token(browser: TestClient, far_side: FarSide) -> None:
    page = browser.get("/")
    assert page.status_code == 200
    assert "Ada &lt;b&gt;" in page.text
    assert far_side.bearers == ["Bearer access-1"]
    assert not re.search("access-1|refresh-1|id-token", page.text)
    assert page.headers["content-security-policy"].startswith("default-src 'none';")


def test_what_the_app_asks_for_a_request_has_the_requests_name(
    browser: TestClient, far_side: FarSide, clock: MovableClock
) -> None:
    clock.advance(seconds=400)  # so that it asks the issuer for a new token, too
    page = browser.get("/", headers={"X-Request-ID": "from-the-proxy.1"})
    assert (page.status_code, far_side.token_requests, len(far_side.bearers)) == (200, 1, 1)
    assert page.headers["x-request-id"] == "from-the-proxy.1"
    assert far_side.request_ids == {"from-the-proxy.1"}


def test_an_api_that_goes_on_refusing_signs_out_kindly(browser: TestClient, far_side: FarSide) -> None:
    far_side.api_status = 401
    answer = browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert far_side.bearers == ["Bearer access-1", "Bearer access-2"]
    assert "Your login has ended" in browser.get("/").text
    assert "Your login has ended" not in browser.get("/").text, "said once"


def test_an_api_that_is_away_leaves_the_page_usable(browser: TestClient, far_side: FarSide) -> None:
    far_side.is_away = True
    page = browser.get("/")
    assert page.status_code == 503
    assert 'id="sign-out"' in page.text


def test_sign_in_with_the_issuer_away_is_a_page(browser: TestClient, far_side: FarSide) -> None:
    far_side.is_away = True
    answer = browser.get("/sign-in")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "path", ["/notes", "/notes/1/delete", "/sign-out", "/sign-out-everywhere", "/delete-all-notes"]
)
@pytest.mark.parametrize(
    ("origin", "with_token", "is_taken"),
    [
        (APP, True, True),
        (None, True, True),
        (APP, False, False),
        ("http://app-two.localhost:8012", True, False),
        ("null", True, False),
    ],
)
def test_a_form_needs_our_origin_and_the_token_of_this_session(
    browser: TestClient, app_session: AppSession, path: str, origin: str | None, with_token: bool, is_taken: bool
) -> None:
    form = {"title": "T", "csrf_token": app_session.csrf_token if with_token else "another"}
    answer = browser.post(path, data=form, headers={"Origin": origin} if origin else {})
    assert (answer.status_code != 403) is is_taken


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=c&state=s",
        f"code=c&state=s&iss={ISSUER}",
        "code=c&state=s&iss=https://evil.example",
        "error=access_denied",
    ],
)
def test_a_callback_that_nobody_asked_for_changes_nothing(browser: TestClient, query: str) -> None:
    answer = browser.get(f"/callback?{query}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert 'id="user-name"' in browser.get("/").text, "still signed in"


def test_an_idle_app_session_is_forgotten(clock: MovableClock, app_session: AppSession) -> None:
    remembered = AppSessions(clock)
    cookie = remembered.open(app_session)
    clock.advance(seconds=sessions.IDLE - 1)
    assert remembered.find(cookie) is app_session, "being seen starts the idle time anew"
    clock.advance(seconds=sessions.IDLE)
    assert remembered.find(cookie) is None


def test_the_idlest_app_session_makes_room(
    clock: MovableClock, app_session: AppSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST", 2)
    remembered = AppSessions(clock)
    first, second = remembered.open(app_session), remembered.open(app_session)
    remembered.find(first)
    remembered.open(app_session)
    assert remembered.find(first) is app_session
    assert remembered.find(second) is None


@pytest.mark.parametrize("url", ["http://id.example.com", "ftp://localhost", "localhost:8000", "https://id?a", ""])
def test_plain_http_is_for_this_machine_only(app_settings: Settings, url: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        Settings(**app_settings.model_dump() | {"issuer": url})
