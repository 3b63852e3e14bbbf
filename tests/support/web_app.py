"""examples/web_app with a simulated issuer and notes API."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key
from starlette.testclient import TestClient

from examples.web_app.app import create_app
from examples.web_app.sessions import AppSession, Tokens, User
from examples.web_app.settings import Settings
from tests.support.clock import MovableClock

ISSUER = "http://localhost:8000"
API = "http://localhost:8001"
APP = "http://app-one.localhost:8011"
ENDPOINTS = {
    f"{name}_endpoint": f"{ISSUER}/{name}"
    for name in ("authorization", "token", "userinfo", "revocation", "end_session")
}
METADATA = {
    "issuer": ISSUER,
    "jwks_uri": f"{ISSUER}/jwks",
    "id_token_signing_alg_values_supported": ["ES256", "RS256"],
    **ENDPOINTS,
}
ADA = User("sub-of-ada", "Ada <b>", "ada@example.com")


def new_key(kid: str = "key-1") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


@dataclass
class Upstream:
    """The issuer and the notes API. `refresh-N` works once and gives `access-N+1`, which is valid for 300 s.

    Every code works and gives `access-1` and an ID Token with `id_claims`.
    """

    clock: MovableClock
    generation: int = 1
    token_requests: int = 0
    is_down: bool = False
    api_status: int = 200
    challenge: str | None = None
    """The API's WWW-Authenticate for a request to delete all notes; None: it deletes them."""
    bearers: list[str] = field(default_factory=list)
    deletions: list[str] = field(default_factory=list)
    """The Authorization headers of all requests to delete all notes."""
    id_claims: dict[str, object] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=lambda: [new_key()])
    key_requests: int = 0
    request_ids: set[str] = field(default_factory=set)
    """Of all requests, "" for a request without one."""
    origins: set[str] = field(default_factory=set)
    """To which requests were sent."""

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.request_ids.add(request.headers.get("x-request-id", ""))
        self.origins.add(f"{request.url.scheme}://{request.url.netloc.decode()}")
        if self.is_down:
            raise httpx2.ConnectError("no route", request=request)
        match request.method, request.url.path:
            case _, "/.well-known/openid-configuration":
                return httpx2.Response(200, json=METADATA)
            case _, "/jwks":
                self.key_requests += 1
                return httpx2.Response(200, json={"keys": [key.as_dict(private=False) for key in self.keys]})
            case _, "/token":
                return await self._token(parse_qs(request.content.decode()))
            case _, "/userinfo":
                return httpx2.Response(200, json={"sub": self.id_claims["sub"], "name": "Grace", "email": "g@e.com"})
            case "DELETE", "/notes":
                self.deletions.append(request.headers["authorization"])
                if self.challenge is not None:
                    return httpx2.Response(401, headers={"WWW-Authenticate": self.challenge})
                return httpx2.Response(204)
            case _, "/notes":
                self.bearers.append(request.headers["authorization"])
                return httpx2.Response(self.api_status, json={"notes": [], "next_cursor": None})
        return httpx2.Response(404)

    async def _token(self, form: dict[str, list[str]]) -> httpx2.Response:
        self.token_requests += 1
        await asyncio.sleep(0)  # lets other requests run, as a network does
        if form["grant_type"] == ["authorization_code"]:
            # Authlib uses the machine's clock, not the app's.
            claims = {"iss": ISSUER, "aud": "app-one", "iat": 1, "exp": 2**40, **self.id_claims}
            return self._answer({"id_token": jwt.encode({"alg": "ES256", "kid": "key-1"}, claims, self.keys[0])})
        if form["refresh_token"] != [f"refresh-{self.generation}"]:
            return httpx2.Response(400, json={"error": "invalid_grant"})
        self.generation += 1
        return self._answer({})

    def _answer(self, more: dict[str, str]) -> httpx2.Response:
        fresh = {"access_token": f"access-{self.generation}", "refresh_token": f"refresh-{self.generation}"}
        return httpx2.Response(200, json=fresh | more | {"token_type": "Bearer", "expires_in": 300})


@pytest.fixture
def upstream(clock: MovableClock) -> Upstream:
    return Upstream(clock)


@pytest.fixture
def app_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("THE_SECRET", "s" * 32)
    return Settings(
        name="App One",
        client_id="app-one",
        client_secret_env="THE_SECRET",
        issuer=ISSUER,
        api=API,
        base_url=APP,
        port=8011,
        session_file=tmp_path / "sessions.db",
    )


@pytest.fixture
def app_session(clock: MovableClock) -> AppSession:
    return AppSession(ADA, Tokens("access-1", clock() + 300, "refresh-1", "id-token"), sid="login-1")


@pytest.fixture
def browser(
    app_settings: Settings, upstream: Upstream, clock: MovableClock, app_session: AppSession
) -> Iterator[TestClient]:
    """A browser that is signed in as Ada."""
    app = create_app(app_settings, clock, httpx2.MockTransport(upstream))
    with TestClient(app, base_url=APP, follow_redirects=False) as client:
        client.cookies.set("session", open_session(client, app_session), domain="app-one.localhost")
        yield client


def open_session(browser: TestClient, session: AppSession) -> str:
    """Store a session in the app of `browser`; return its cookie."""
    assert browser.portal is not None
    cookie: str = browser.portal.call(browser.app.state.services.sessions.open, session)  # type: ignore[attr-defined]
    return cookie


def find_session(browser: TestClient, cookie: str) -> AppSession | None:
    assert browser.portal is not None
    return browser.portal.call(browser.app.state.services.sessions.find, cookie)  # type: ignore[attr-defined,no-any-return]
