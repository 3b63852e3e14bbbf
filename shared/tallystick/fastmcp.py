"""Protect a FastMCP server in two lines.

auth = AccessTokenVerifier("https://id.example.com", "https://tools.example.com/mcp", required_scopes=["notes:read"])
server = FastMCP("Tools", auth=auth)

A tool that needs more scopes has FastMCP's `auth=require_scopes("notes:write")`.
"""

from collections.abc import Sequence
from typing import Any, Unpack
from urllib.parse import urlsplit

from fastmcp.server.auth import AccessToken, AuthProvider, TokenVerificationError
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tallystick.errors import TemporarilyUnavailable
from tallystick.mcp import access_token_fields
from tallystick.protected_api import METADATA_HEADERS, ApiOptions, ProtectedApi
from tallystick.starlette import AccessTokenMiddleware

__all__ = ["AccessTokenVerifier"]


class AccessTokenVerifier(AuthProvider):
    """FastMCP's AuthProvider for tokens of one issuer for one MCP server. It verifies offline, serves the metadata of
    the server (RFC 9728), and answers refused requests as RFC 6750 defines.
    """

    def __init__(
        self, issuer: str, audience: str, *, required_scopes: Sequence[str] = (), **options: Unpack[ApiOptions]
    ) -> None:
        """`audience` is the URL of the MCP server, as clients enter it. Each request needs all of `required_scopes`.
        `options`: see ApiOptions.

        Raises ValueError for a URL that is neither https nor on loopback, and for an invalid number of seconds.
        """
        self.api = ProtectedApi(issuer, audience, **options)
        parts = urlsplit(audience)
        super().__init__(base_url=f"{parts.scheme}://{parts.netloc}", required_scopes=list(required_scopes))

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token with its claims, or None for an invalid one.

        Raises TokenVerificationError while the issuer's keys, or with `fail_closed` the token's status, are unknown.
        """
        try:
            fields = await access_token_fields(self.api, token)
        except TemporarilyUnavailable as unavailable:
            raise TokenVerificationError(unavailable.description) from unavailable
        return None if fields is None else AccessToken(**fields)

    def get_middleware(self) -> list[Any]:
        """FastMCP's middleware behind our own, which only protects the path of the MCP server."""
        ours = Middleware(
            AccessTokenMiddleware,
            auth=self.api,
            scopes=self.required_scopes,
            only_path=self._mcp_path or urlsplit(self.api.audience).path or "/",
        )
        return [ours, *super().get_middleware()]

    def get_routes(self, mcp_path: str | None = None) -> list[Route]:
        """The route of the metadata. FastMCP's own would change the text of the issuer."""
        self.set_mcp_path(mcp_path)
        if self.api.metadata_path is None:
            return []
        return [Route(self.api.metadata_path, self._metadata)]

    async def _metadata(self, _request: Request) -> JSONResponse:
        return JSONResponse(self.api.metadata_document(), headers=METADATA_HEADERS)
