"""The example app and the real auth service: a refresh whose response was lost does no harm (ADR 34)."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from examples.web_app.access_tokens import AccessTokens
from examples.web_app.errors import ServiceUnavailable, SessionEnded
from examples.web_app.openid_provider import OpenIDProvider
from examples.web_app.session_store import SessionStore
from examples.web_app.sessions import AppSession, Tokens, User
from examples.web_app.settings import Settings
from tests.support.auth_service import AuthService
from tests.support.declared import NOTES, secret_of


class Network(httpx2.AsyncBaseTransport):
    """The connection of the app to the auth service."""

    def __init__(self, auth: AuthService) -> None:
        self._asgi = httpx2.ASGITransport(auth.app)
        self.loses_token_responses = False
        self.token_requests = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._asgi.handle_async_request(request)
        if request.url.path == "/token":
            self.token_requests += 1
            if self.loses_token_responses:
                raise httpx2.ReadError("the connection was closed", request=request)
        return response


class App:
    """The example app with one session of a user, who signed in by way of the auth service."""

    def __init__(self, auth: AuthService, network: Network, session_file: Path) -> None:
        self.settings = Settings(
            name="App One",
            client_id="app-one",
            client_secret_env="APP_ONE_SECRET",
            issuer=auth.settings.issuer,
            api=NOTES,
            base_url="https://app-one.example.org",
            port=8011,
            session_file=session_file,
        )
        self._clock = auth.clock
        self._provider = OpenIDProvider(self.settings, auth.clock, network)
        self._store = SessionStore(session_file, auth.clock)
        self._cookie = ""

    async def open_session(self, answer: dict[str, str]) -> None:
        tokens = Tokens(answer["access_token"], self._clock(), answer["refresh_token"], answer["id_token"])
        self._cookie = await self._store.open(AppSession(User("sub", "Ada", "ada@example.com"), tokens))

    async def session(self) -> AppSession:
        """The session as a request of the browser finds it."""
        session = await self._store.find(self._cookie)
        assert session is not None
        return session

    async def access_token(self, session: AppSession | None = None) -> str:
        """A new access token for a request that found `session`."""
        session = session or await self.session()
        access_tokens = AccessTokens(session, self._store, self._provider, self._clock)
        return await access_tokens.get(refused=session.tokens.access_token)


@pytest.fixture
def network(auth: AuthService) -> Network:
    return Network(auth)


@pytest.fixture
async def app(auth: AuthService, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setenv("APP_ONE_SECRET", secret_of("app-one"))
    app = App(auth, network, tmp_path / "sessions.db")
    await app.open_session(await auth.relying_party("app-one").tokens())
    return app


async def test_refresh_token_whose_response_was_lost_is_sent_again(
    auth: AuthService, network: Network, app: App
) -> None:
    network.loses_token_responses = True
    with pytest.raises(ServiceUnavailable):
        await app.access_token()
    network.loses_token_responses = False
    auth.clock.advance(seconds=59)
    tokens = [await app.access_token() for _ in range(3)]
    assert network.token_requests == 4
    assert len(set(tokens)) == 3
    rp = auth.relying_party("app-one")
    assert (await rp.introspect(tokens[-1])).json()["active"] is True


async def test_session_ends_when_the_lost_response_is_older_than_the_grace_period(
    auth: AuthService, network: Network, app: App
) -> None:
    network.loses_token_responses = True
    with pytest.raises(ServiceUnavailable):
        await app.access_token()
    network.loses_token_responses = False
    auth.clock.advance(seconds=61)
    with pytest.raises(SessionEnded):
        await app.access_token()


async def test_workers_of_one_app_send_a_refresh_token_once(network: Network, app: App) -> None:
    sessions = [await app.session() for _ in range(8)]
    tokens = await asyncio.gather(*(app.access_token(session) for session in sessions))
    assert len(set(tokens)) == 1
    assert network.token_requests == 1
