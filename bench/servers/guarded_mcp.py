"""A tool of the MCP Python SDK that `tallystick.mcp` protects, at the path of its audience. Arguments: port, issuer."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.routing import Mount

from bench.services import AUDIENCE
from tallystick.mcp import AccessTokenVerifier, claims_of_request


def create_app(issuer: str) -> Starlette:
    tokens = AccessTokenVerifier(issuer=issuer, audience=AUDIENCE)
    server = MCPServer("Tools", token_verifier=tokens, auth=tokens.auth_settings("notes:read"), log_level="WARNING")

    @server.tool()
    def whoami() -> str:
        return claims_of_request().sub

    app = server.streamable_http_app(streamable_http_path="/", json_response=True, stateless_http=True)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with app.router.lifespan_context(app):
            yield

    return Starlette(routes=[Mount("/", tokens.protect(app, "notes:read"))], lifespan=lifespan)


if __name__ == "__main__":
    port, issuer = sys.argv[1:]
    uvicorn.run(create_app(issuer), port=int(port), log_level="warning", access_log=False)
