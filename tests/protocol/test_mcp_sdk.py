"""The MCP Python SDK as a foreign client: it registers itself, signs a user in and calls a protected tool."""

import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider, OAuthRegistrationError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from examples.mcp_server.server import create_app
from tallystick.mcp import AccessTokenVerifier
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import EMAIL, OTHER_EMAIL, declared_settings
from tests.support.relying_party import Browser, answer_of

ROOT = Path(__file__).parents[2]
MCP = "https://mcp.example.com"
CALLBACK = "http://127.0.0.1:33418/callback"


@dataclass
class Storage:
    """The storage of the SDK."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class SigningInUser:
    """A browser whose user signs in and consents."""

    browser: Browser
    answer: dict[str, str] | None = None
    authorization_url: str = ""
    email: str = EMAIL

    async def open(self, url: str) -> None:
        self.authorization_url = url
        page = await self.browser.sign_in(await self.browser.open(url), username=self.email)
        assert page.status_code == 200, page.headers
        self.answer = answer_of(await self.browser.allow(page))

    async def come_back(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(self.answer)


@dataclass
class Pair:
    auth: AuthService
    mcp: Any
    url: str

    async def call(
        self, user: SigningInUser, storage: Storage, tool: str = "whoami", arguments: dict[str, Any] | None = None
    ) -> str:
        """The answer of the tool. The SDK is given only the server's URL."""
        provider = OAuthClientProvider(
            server_url=self.url,
            client_metadata=OAuthClientMetadata.model_validate(
                {"client_name": "An MCP client", "redirect_uris": [CALLBACK]}
            ),
            storage=storage,
            redirect_handler=user.open,
            callback_handler=user.come_back,
        )
        mounts = {
            f"all://{app_url.removeprefix('https://')}": httpx2.ASGITransport(app)
            for app_url, app in ((self.auth.settings.issuer, self.auth.app), (MCP, self.mcp))
        }
        async with (
            httpx2.AsyncClient(auth=provider, mounts=mounts) as http,
            Client(streamable_http_client(self.url, http_client=http)) as client,
        ):
            result = await client.call_tool(tool, arguments or {})
        return " ".join(content.text for content in result.content)  # type: ignore[union-attr]


@asynccontextmanager
async def running_pair(
    database_url: str, clock: MovableClock, *, path: str, required_scopes: list[str], **registration: Any
) -> AsyncIterator[Pair]:
    """An auth service, and an MCP server at MCP + `path` whose audience has no trailing slash."""
    audience = f"{MCP}{path}".rstrip("/")
    api = {"audience": audience, "name": "Tools", "scopes": {"tools:call": "Call the tools"}}
    apis = [*(declared.model_dump() for declared in declared_settings(database_url).api), api]
    changes: dict[str, Any] = {"api": apis, "registration": registration}
    async with running_auth_service(database_url, clock, **changes) as auth:
        tokens = AccessTokenVerifier(
            auth.settings.issuer, audience, clock=clock, transport=httpx.ASGITransport(auth.app)
        )
        server = MCPServer("tools", token_verifier=tokens, auth=tokens.auth_settings(*required_scopes))

        @server.tool()
        def whoami() -> str:
            token = get_access_token()
            return "no token" if token is None else f"{token.subject} with {' '.join(token.scopes)}"

        app = server.streamable_http_app(
            streamable_http_path=path,
            json_response=True,
            stateless_http=True,
            transport_security=TransportSecuritySettings(allowed_hosts=["mcp.example.com"]),
        )
        async with tokens.api.async_verifier, app.router.lifespan_context(app):
            yield Pair(auth, tokens.protect(app, *required_scopes), f"{MCP}{path}")


@pytest.fixture
def now() -> MovableClock:
    """At least the time of the test databases and of the system clock, which the SDK compares `exp` with."""
    return MovableClock(max(MovableClock().now, int(time.time())))


@pytest.mark.parametrize("required_scopes", [["tools:call"], []], ids=["scope", "no scope"])
@pytest.mark.parametrize("path", ["/mcp", "/"])
async def test_sdk_registers_signs_in_and_calls_a_protected_tool(
    auth_sqlite_url: str, now: MovableClock, path: str, required_scopes: list[str]
) -> None:
    """The SDK sends the `resource` that the server's metadata names, byte for byte."""
    async with running_pair(auth_sqlite_url, now, path=path, required_scopes=required_scopes, mode="open") as pair:
        user, storage = SigningInUser(pair.auth.browser()), Storage()
        answer = await pair.call(user, storage)
        assert "tools:call" in answer
        assert storage.client is not None
        assert "tools:call" in (storage.client.scope or "")
        parameters = dict(parse_qsl(urlsplit(user.authorization_url).query))
        assert parameters["resource"] == pair.url.rstrip("/")


@pytest.mark.parametrize(
    ("registration", "setting"),
    [({"mode": "token"}, "[registration] initial_access_token")],
)
async def test_sdk_shows_which_setting_closes_registration(
    auth_sqlite_url: str, now: MovableClock, registration: dict[str, str], setting: str
) -> None:
    async with running_pair(auth_sqlite_url, now, path="/mcp", required_scopes=["tools:call"], **registration) as pair:
        with pytest.RaisesGroup(OAuthRegistrationError, flatten_subgroups=True) as raised:
            await pair.call(SigningInUser(pair.auth.browser()), Storage())
        assert setting in str(raised.value.exceptions)


@asynccontextmanager
async def running_example(auth_sqlite_url: str, now: MovableClock) -> AsyncIterator[Pair]:
    """examples/mcp_server, as its api.toml declares it."""
    text = (ROOT / "examples/mcp_server/api.toml").read_text().replace("http://localhost:8014", MCP)
    apis = [
        *(declared.model_dump() for declared in declared_settings(auth_sqlite_url).api),
        *tomllib.loads(text)["api"],
    ]
    changes: dict[str, Any] = {"api": apis, "registration": {"mode": "open"}}
    async with running_auth_service(auth_sqlite_url, now, **changes) as auth:
        transport = httpx.ASGITransport(auth.app)
        app, sdk_app = create_app(auth.settings.issuer, f"{MCP}/mcp", clock=now, transport=transport)
        async with sdk_app.router.lifespan_context(sdk_app):
            yield Pair(auth, app, f"{MCP}/mcp")


async def test_each_tool_of_the_example_needs_its_own_scope(auth_sqlite_url: str, now: MovableClock) -> None:
    async with running_example(auth_sqlite_url, now) as example:
        user, storage = SigningInUser(example.auth.browser()), Storage()
        assert await example.call(user, storage, "add_note", {"text": "milk"}) == "There are 1 notes."
        assert await example.call(user, storage, "read_notes") == "milk"
        storage.tokens = await narrower_tokens(example, storage, scope="tools:read")
        assert await example.call(user, storage, "read_notes") == "milk"
        assert "needs the scope tools:write" in await example.call(user, storage, "add_note", {"text": "eggs"})
        assert await example.call(user, storage, "read_notes") == "milk"


async def test_users_of_the_example_have_notes_of_their_own(auth_sqlite_url: str, now: MovableClock) -> None:
    async with running_example(auth_sqlite_url, now) as example:
        ada = SigningInUser(example.auth.browser()), Storage()
        await example.call(*ada, "add_note", {"text": "milk"})
        grace = SigningInUser(example.auth.browser(), email=OTHER_EMAIL), Storage()
        assert await example.call(*grace, "read_notes") == ""
        assert await example.call(*ada, "read_notes") == "milk"


async def narrower_tokens(pair: Pair, storage: Storage, *, scope: str) -> OAuthToken:
    """Tokens of the same user with fewer scopes (RFC 6749 §6)."""
    assert storage.tokens is not None
    assert storage.client is not None
    assert storage.client.token_endpoint_auth_method == "client_secret_basic"
    refreshed = await pair.auth.browser().http.post(
        "/token",
        auth=httpx.BasicAuth(str(storage.client.client_id), str(storage.client.client_secret)),
        data={
            "grant_type": "refresh_token",
            "refresh_token": storage.tokens.refresh_token,
            "scope": scope,
            "resource": pair.url,
        },
    )
    assert refreshed.status_code == 200, refreshed.text
    return OAuthToken.model_validate(refreshed.json())
