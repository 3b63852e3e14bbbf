"""Protect a server of the MCP Python SDK in three lines.

tokens = AccessTokenVerifier(issuer="https://id.example.com", audience="https://tools.example.com/mcp")
server = MCPServer("Tools", token_verifier=tokens, auth=tokens.auth_settings("notes:read"))
app = tokens.protect(server.streamable_http_app(), "notes:read")

`protect` answers refused requests as the RFCs define; without it, the SDK does. It answers a request without a token
with `invalid_token`, and has no response for an issuer that is unavailable.
"""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, Unpack
from urllib.parse import urlsplit

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import AnyHttpUrl
from starlette.authentication import AuthenticationError
from starlette.types import ASGIApp

from tallystick.access_token_request import require_scopes
from tallystick.claims import AccessTokenClaims
from tallystick.errors import InsufficientScope, InvalidToken, MissingToken, TemporarilyUnavailable
from tallystick.protected_api import ApiOptions, ProtectedApi
from tallystick.starlette import AccessTokenMiddleware

__all__ = ["AccessTokenVerifier", "claims_of_request", "requires"]

Tool = TypeVar("Tool", bound=Callable[..., Any])


class AccessTokenVerifier:
    """The SDK's TokenVerifier for tokens of one issuer for one MCP server. It verifies offline."""

    def __init__(self, issuer: str, audience: str, **options: Unpack[ApiOptions]) -> None:
        """`audience` is the URL of the MCP server, as clients enter it. `options`: see ApiOptions.

        Raises ValueError for a URL that is neither https nor on loopback, and for an invalid number of seconds.
        """
        self.api = ProtectedApi(issuer, audience, **options)

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token with its claims, or None, which the SDK answers with 401.

        Raises AuthenticationError while the issuer's keys, or with `fail_closed` the token's status, are unknown. The
        SDK answers it with 400, so that the client keeps its token.
        """
        try:
            fields = await access_token_fields(self.api, token)
        except TemporarilyUnavailable as unavailable:
            raise AuthenticationError(unavailable.description) from unavailable
        return None if fields is None else AccessToken(**fields)

    def auth_settings(self, *required_scopes: str) -> AuthSettings:
        """The parameter `auth` of the server. Each request needs all of `required_scopes`."""
        return AuthSettings(
            issuer_url=AnyHttpUrl(self.api.issuer),
            resource_server_url=AnyHttpUrl(self.api.audience),
            required_scopes=list(required_scopes),
            validate_token_resource=False,  # the audience was verified already
        )

    def protect(self, app: ASGIApp, *required_scopes: str) -> ASGIApp:
        """The SDK's ASGI app behind the checks and challenges of this library (RFC 6750, RFC 9728).

        Only the path of `audience` is protected, so other routes of the app stay public. An unavailable issuer is
        answered with 503 and Retry-After.
        """
        return AccessTokenMiddleware(
            app, self.api, scopes=required_scopes, only_path=urlsplit(self.api.audience).path or "/"
        )

    async def aclose(self) -> None:
        """Stop fetching keys and status lists. A later request starts again."""
        await self.api.aclose()


def requires(*scopes: str) -> Callable[[Tool], Tool]:
    """A decorator for a tool, below the SDK's own: the access token of the call must have all of `scopes`.

    The client sees the result of the tool as an error that names the scopes. There is no HTTP status for it, because
    the name of the tool is in the body of the request.
    """

    def decorate(tool: Tool) -> Tool:
        if iscoroutinefunction(tool):

            @wraps(tool)
            async def protected_async(*args: Any, **kwargs: Any) -> Any:
                _require(scopes)
                return await tool(*args, **kwargs)

            return protected_async  # type: ignore[return-value]

        @wraps(tool)
        def protected(*args: Any, **kwargs: Any) -> Any:
            _require(scopes)
            return tool(*args, **kwargs)

        return protected  # type: ignore[return-value]

    return decorate


def _require(scopes: tuple[str, ...]) -> None:
    try:
        require_scopes(claims_of_request(), scopes)
    except (InsufficientScope, MissingToken) as refused:
        raise ToolError(refused.description) from refused  # the SDK hides the text of any other exception


def claims_of_request() -> AccessTokenClaims:
    """The claims of the access token with which the running tool was called. Raises MissingToken without one."""
    token = get_access_token()
    if token is None or token.claims is None:
        raise MissingToken("an access token is required")
    return AccessTokenClaims.model_validate(token.claims)


async def access_token_fields(api: ProtectedApi, token: str) -> dict[str, Any] | None:
    """The fields of the SDK's AccessToken, or None for an invalid token. Raises TemporarilyUnavailable."""
    try:
        claims = await api.async_verifier.verify(token.strip(" "))  # the SDKs leave spaces in front of it
    except InvalidToken:
        return None
    return {
        "token": token,
        "client_id": claims.client_id,
        "scopes": sorted(claims.scopes),
        "expires_at": claims.exp,
        "resource": api.audience,
        "subject": claims.sub,
        "claims": claims.model_dump(mode="json", exclude_none=True),
    }
