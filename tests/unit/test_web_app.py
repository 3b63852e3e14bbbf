"""The example app: refresh of access tokens, unavailable services, CSRF protection, and app sessions."""

import asyncio
import re

import httpx2
import pytest
from starlette.testclient import TestClient

from examples.web_app.access_tokens import AccessTokens
from examples.web_app.errors import ServiceUnavailable, SessionEnded
from examples.web_app.openid_provider import OpenIDProvider
from examples.web_app.session_store import SessionStore
from examples.web_app.sessions import AppSession
from examples.web_app.settings import Settings
from tests.support.clock import MovableClock
from tests.support.web_app import APP, ISSUER, Upstream


@pytest.fixture
def store(app_settings: Settings, clock: MovableClock) -> SessionStore:
    return SessionStore(app_settings.session_file, clock)


@pytest.fixture
def provider(app_settings: Settings, upstream: Upstream, clock: MovableClock) -> OpenIDProvider:
    return OpenIDProvider(app_settings, clock, httpx2.MockTransport(upstream))


@pytest.fixture
async def access_tokens(
    store: SessionStore, app_session: AppSession, provider: OpenIDProvider, clock: MovableClock
) -> AccessTokens:
    return AccessTokens(await stored(store, app_session), store, provider, clock)


async def stored(store: SessionStore, session: AppSession) -> AppSession:
    found = await store.find(await store.open(session))
    assert found is not None
    return found


async def test_access_token_is_reused_until_shortly_before_its_expiry(
    access_tokens: AccessTokens, upstream: Upstream
) -> None:
    assert await access_tokens.get() == "access-1"
    assert upstream.token_requests == 0


async def test_concurrent_requests_refresh_once(
    access_tokens: AccessTokens, upstream: Upstream, clock: MovableClock
) -> None:
    clock.advance(seconds=290)
    assert await asyncio.gather(*(access_tokens.get() for _ in range(6))) == ["access-2"] * 6
    assert upstream.token_requests == 1


async def test_token_that_the_api_refused_is_replaced_before_its_expiry(access_tokens: AccessTokens) -> None:
    assert await access_tokens.get(refused="access-1") == "access-2"
    assert await access_tokens.get(refused="access-1") == "access-2", "it was replaced already"


async def test_valid_token_is_used_while_the_issuer_is_down(
    access_tokens: AccessTokens, upstream: Upstream, clock: MovableClock
) -> None:
    upstream.is_down = True
    clock.advance(seconds=299)
    assert await access_tokens.get() == "access-1"
    clock.advance(seconds=1)
    with pytest.raises(ServiceUnavailable):
        await access_tokens.get()


async def test_revoked_token_family_ends_the_app_session(
    access_tokens: AccessTokens, upstream: Upstream, clock: MovableClock
) -> None:
    upstream.generation = 7
    clock.advance(seconds=300)
    with pytest.raises(SessionEnded):
        await access_tokens.get()


def test_page_shows_the_user_and_no_token(browser: TestClient, upstream: Upstream) -> None:
    page = browser.get("/")
    assert page.status_code == 200
    assert "Ada &lt;b&gt;" in page.text
    assert upstream.bearers == ["Bearer access-1"]
    assert not re.search("access-1|refresh-1|id-token", page.text)
    assert page.headers["content-security-policy"].startswith("default-src 'none';")


def test_request_id_is_sent_to_the_issuer_and_the_api(
    browser: TestClient, upstream: Upstream, clock: MovableClock
) -> None:
    clock.advance(seconds=400)  # so that the token has expired
    page = browser.get("/", headers={"X-Request-ID": "from-the-proxy.1"})
    assert (page.status_code, upstream.token_requests, len(upstream.bearers)) == (200, 1, 1)
    assert page.headers["x-request-id"] == "from-the-proxy.1"
    assert upstream.request_ids == {"from-the-proxy.1"}


def test_second_401_of_the_api_ends_the_session_with_a_message(browser: TestClient, upstream: Upstream) -> None:
    upstream.api_status = 401
    answer = browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert upstream.bearers == ["Bearer access-1", "Bearer access-2"]
    assert "Your login has ended" in browser.get("/").text
    assert "Your login has ended" not in browser.get("/").text, "shown once"


def test_page_has_the_sign_out_button_while_the_api_is_down(browser: TestClient, upstream: Upstream) -> None:
    upstream.is_down = True
    page = browser.get("/")
    assert page.status_code == 503
    assert 'id="sign-out"' in page.text


def test_sign_in_shows_an_error_page_while_the_issuer_is_down(browser: TestClient, upstream: Upstream) -> None:
    upstream.is_down = True
    answer = browser.get("/sign-in")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "path", ["/notes", "/notes/1/delete", "/sign-out", "/sign-out-everywhere", "/delete-all-notes"]
)
@pytest.mark.parametrize(
    ("origin", "with_token", "is_accepted"),
    [
        (APP, True, True),
        (None, True, True),
        (APP, False, False),
        ("http://app-two.localhost:8012", True, False),
        ("null", True, False),
    ],
)
def test_form_needs_the_origin_of_the_app_and_the_token_of_the_session(
    browser: TestClient, app_session: AppSession, path: str, origin: str | None, with_token: bool, is_accepted: bool
) -> None:
    form = {"title": "T", "csrf_token": app_session.csrf_token if with_token else "another"}
    answer = browser.post(path, data=form, headers={"Origin": origin} if origin else {})
    assert (answer.status_code != 403) is is_accepted


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
def test_unrequested_callback_changes_nothing(browser: TestClient, query: str) -> None:
    answer = browser.get(f"/callback?{query}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert 'id="user-name"' in browser.get("/").text, "still signed in"


@pytest.mark.parametrize("url", ["http://id.example.com", "ftp://localhost", "localhost:8000", "https://id?a", ""])
def test_issuer_url_must_be_https_except_on_loopback(app_settings: Settings, url: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        Settings(**app_settings.model_dump() | {"issuer": url})
