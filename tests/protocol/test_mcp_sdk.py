"""The MCP Python SDK as a foreign client: it registers itself, signs a user in and calls a protected tool."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider, OAuthRegistrationError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tallystick.errors import InvalidToken
from tallystick.verifier import AsyncVerifier
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import declared_settings
from tests.support.relying_party import Browser, answer_of

MCP = "https://mcp.example.com"
CALLBACK = "http://127.0.0.1:33418/callback"


class TallystickTokens:
    """The MCP TokenVerifier of docs/mcp.md, which verifies offline."""

    def __init__(self, verifier: AsyncVerifier) -> None:
        self._verifier = verifier

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            claims = await self._verifier.verify(token)
        except InvalidToken:
            return None
        return AccessToken(
            token=token,
            client_id=claims.client_id,
            scopes=sorted(claims.scopes),
            expires_at=claims.exp,
            subject=claims.sub,
        )


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

    async def open(self, url: str) -> None:
        self.authorization_url = url
        page = await self.browser.sign_in(await self.browser.open(url))
        assert page.status_code == 200, page.headers
        self.answer = answer_of(await self.browser.allow(page))

    async def come_back(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(self.answer)


@dataclass
class Pair:
    auth: AuthService
    mcp: Any
    url: str

    async def call(self, user: SigningInUser, storage: Storage) -> str:
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
            result = await client.call_tool("whoami", {})
        return str(result.content[0].text)  # type: ignore[union-attr]


@asynccontextmanager
async def running_pair(
    database_url: str, clock: MovableClock, *, path: str, required_scopes: list[str] | None, **registration: Any
) -> AsyncIterator[Pair]:
    """An auth service, and an MCP server at MCP + `path` whose audience has no trailing slash."""
    audience = f"{MCP}{path}".rstrip("/")
    api = {"audience": audience, "name": "Tools", "scopes": {"tools:call": "Call the tools"}}
    apis = [*(declared.model_dump() for declared in declared_settings(database_url).api), api]
    changes: dict[str, Any] = {"api": apis, "registration": registration}
    async with running_auth_service(database_url, clock, **changes) as auth:
        verifier = AsyncVerifier(auth.settings.issuer, audience, clock=clock, transport=httpx.ASGITransport(auth.app))
        server = MCPServer(
            "tools",
            token_verifier=TallystickTokens(verifier),
            auth=AuthSettings.model_validate(
                {
                    "issuer_url": auth.settings.issuer,
                    "resource_server_url": f"{MCP}{path}",
                    "required_scopes": required_scopes,
                    "validate_token_resource": False,  # the verifier compares the audience
                }
            ),
        )

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
        async with verifier, app.router.lifespan_context(app):
            yield Pair(auth, app, f"{MCP}{path}")


@pytest.fixture
def now() -> MovableClock:
    """At least the time of the test databases and of the system clock, which the SDK compares `exp` with."""
    return MovableClock(max(MovableClock().now, int(time.time())))


@pytest.mark.parametrize("required_scopes", [["tools:call"], None], ids=["scope", "no scope"])
@pytest.mark.parametrize("path", ["/mcp", "/"])
async def test_sdk_registers_signs_in_and_calls_a_protected_tool(
    auth_sqlite_url: str, now: MovableClock, path: str, required_scopes: list[str] | None
) -> None:
    """For the server at "/" the SDK sends `resource` with a trailing slash. The declared audience has none."""
    async with running_pair(auth_sqlite_url, now, path=path, required_scopes=required_scopes, mode="open") as pair:
        user, storage = SigningInUser(pair.auth.browser()), Storage()
        answer = await pair.call(user, storage)
        assert "tools:call" in answer
        assert storage.client is not None
        assert "tools:call" in (storage.client.scope or "")
        parameters = dict(parse_qsl(urlsplit(user.authorization_url).query))
        assert parameters["resource"] == pair.url


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
