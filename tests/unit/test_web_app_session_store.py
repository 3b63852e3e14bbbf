"""The session file of the example app, and its refresh of tokens, in several worker processes."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import httpx2
import pytest
from starlette.testclient import TestClient

from examples.web_app.access_tokens import REFRESH_TIMEOUT, AccessTokens
from examples.web_app.app import create_app
from examples.web_app.errors import ServiceUnavailable, SessionEnded
from examples.web_app.openid_provider import OpenIDProvider
from examples.web_app.session_store import IDLE_TIMEOUT, SessionStore
from examples.web_app.sessions import AppSession
from examples.web_app.settings import Settings
from tests.support.clock import MovableClock
from tests.support.web_app import APP, ISSUER, Upstream, find_session
from tests.support.web_app_logout import is_signed_in, send

INSIDE = "http://auth.internal:9000"


class Workers:
    """Worker processes of one app: each has a store on the same file, and a connection to the issuer."""

    def __init__(self, settings: Settings, clock: MovableClock, upstream: Upstream) -> None:
        self.settings = settings
        self.clock = clock
        self.upstream = upstream
        self.cookie = ""

    def new_store(self) -> SessionStore:
        return SessionStore(self.settings.session_file, self.clock)

    async def access_tokens(self) -> AccessTokens:
        """The access tokens of the session, for a request at another worker."""
        store, transport = self.new_store(), httpx2.MockTransport(self.upstream)
        session = await store.find(self.cookie)
        assert session is not None
        return AccessTokens(session, store, OpenIDProvider(self.settings, self.clock, transport), self.clock)


@pytest.fixture
async def workers(app_settings: Settings, clock: MovableClock, upstream: Upstream, app_session: AppSession) -> Workers:
    """The workers of an app with one session, whose access token has expired."""
    workers = Workers(app_settings, clock, upstream)
    workers.cookie = await workers.new_store().open(app_session)
    clock.advance(seconds=300)
    return workers


async def test_only_the_owner_may_read_the_file(workers: Workers) -> None:
    for file in workers.settings.session_file.parent.glob("sessions.db*"):
        assert file.stat().st_mode & 0o777 == 0o600


async def test_the_file_does_not_contain_the_cookie(workers: Workers) -> None:
    for file in workers.settings.session_file.parent.glob("sessions.db*"):
        assert workers.cookie.encode() not in file.read_bytes()


async def test_idle_session_is_removed(workers: Workers, clock: MovableClock) -> None:
    clock.advance(seconds=IDLE_TIMEOUT - 301)
    assert await workers.new_store().find(workers.cookie), "a request restarts the idle time"
    clock.advance(seconds=IDLE_TIMEOUT)
    assert await workers.new_store().find(workers.cookie) is None


async def test_longest_idle_session_is_removed_for_a_new_one(
    clock: MovableClock, app_settings: Settings, app_session: AppSession
) -> None:
    store = SessionStore(app_settings.session_file, clock, max_sessions=2)
    first, second = await store.open(app_session), await store.open(app_session)
    clock.advance(seconds=1)
    await store.find(first)
    await store.open(app_session)
    assert await store.find(first)
    assert await store.find(second) is None


async def test_session_is_refreshed_once_by_all_workers(workers: Workers) -> None:
    requests = [await workers.access_tokens() for _ in range(6)]
    assert await asyncio.gather(*(request.get() for request in requests)) == ["access-2"] * 6
    assert workers.upstream.token_requests == 1


async def test_refresh_that_a_killed_worker_had_begun_is_done_by_another(workers: Workers, clock: MovableClock) -> None:
    store = workers.new_store()
    session = await store.find(workers.cookie)
    assert session is not None
    assert await store.reserve_refresh(session, seconds=REFRESH_TIMEOUT)
    assert not await store.reserve_refresh(session, seconds=REFRESH_TIMEOUT)
    waiting = asyncio.create_task((await workers.access_tokens()).get())
    await asyncio.sleep(0.2)
    assert workers.upstream.token_requests == 0
    clock.advance(seconds=REFRESH_TIMEOUT)
    assert await waiting == "access-2"


async def test_late_result_does_not_replace_a_newer_one(workers: Workers) -> None:
    """The newer refresh token has replaced the older one at the issuer, which would refuse the older one."""
    store = workers.new_store()
    session = await store.find(workers.cookie)
    assert session is not None
    await (await workers.access_tokens()).get()
    assert not await store.finish_refresh(session, replace(session.tokens, access_token="late"))
    current = await store.reload(session)
    assert current is not None
    assert current.tokens.access_token == "access-2"


async def test_session_that_was_closed_during_its_refresh_stays_closed(workers: Workers) -> None:
    access_tokens = await workers.access_tokens()
    await workers.new_store().close(workers.cookie)
    with pytest.raises(SessionEnded):
        await access_tokens.get()
    assert await workers.new_store().find(workers.cookie) is None


async def test_after_a_failed_refresh_the_next_request_tries_at_once(workers: Workers) -> None:
    workers.upstream.is_down = True
    with pytest.raises(ServiceUnavailable):
        await (await workers.access_tokens()).get()
    workers.upstream.is_down = False
    assert await (await workers.access_tokens()).get() == "access-2"


def test_logout_token_is_accepted_once_by_all_workers(
    browser: TestClient, sign: Callable[..., str], app_settings: Settings, clock: MovableClock
) -> None:
    other_worker = SessionStore(app_settings.session_file, clock)
    end = other_worker.end_login(sid=None, sub="sub-of-ada", jti="logout-1", forget_at=clock() + 300)
    assert asyncio.run(end) == 1
    assert send(browser, sign()).status_code == 400


def test_logout_token_that_could_not_be_stored_may_be_sent_again(
    browser: TestClient, sign: Callable[..., str], app_settings: Settings
) -> None:
    """Otherwise the user would stay signed in."""
    token = sign()
    execute(app_settings, "ALTER TABLE sessions RENAME TO elsewhere")
    answer = send(browser, token)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert browser.get("/").status_code == 503
    execute(app_settings, "ALTER TABLE elsewhere RENAME TO sessions")
    assert is_signed_in(browser)
    assert send(browser, token).status_code == 200
    assert not is_signed_in(browser)


def execute(settings: Settings, statement: str) -> None:
    with closing(sqlite3.connect(settings.session_file)) as connection:
        connection.execute(statement)


def test_internal_url_is_used_by_the_server_and_the_issuer_by_the_browser(
    app_settings: Settings, clock: MovableClock, upstream: Upstream, sign: Callable[..., str]
) -> None:
    settings = Settings(**app_settings.model_dump() | {"internal_url": INSIDE, "allow_insecure_internal_url": True})
    upstream.id_claims = {"sub": "sub-of-grace", "sid": "login-9"}
    app = create_app(settings, clock, httpx2.MockTransport(upstream))
    with TestClient(app, base_url=APP, follow_redirects=False) as browser:
        location = browser.get("/sign-in").headers["location"]
        assert location.startswith(f"{ISSUER}/authorization?")
        query = dict(httpx2.URL(location).params)
        upstream.id_claims["nonce"] = query["nonce"]
        browser.get("/callback", params={"code": "c", "state": query["state"], "iss": ISSUER})
        session = find_session(browser, browser.cookies["session"])
        assert session is not None
        assert send(browser, sign(sid="login-9")).status_code == 200
        assert find_session(browser, browser.cookies["session"]) is None
    assert upstream.origins == {INSIDE}


@pytest.mark.parametrize("url", ["http://auth.internal:9000", "auth:9000", "ftp://auth", "https://auth?x=1"])
def test_internal_url_must_be_https_unless_http_is_allowed_explicitly(app_settings: Settings, url: str) -> None:
    with pytest.raises(ValueError, match="internal_url"):
        Settings(**app_settings.model_dump() | {"internal_url": url})
