"""The MCP SDK and FastMCP: a call of the tool `whoami` in process. Its result is in the form of the other adapters."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

import tallystick.fastmcp
import tallystick.mcp
from tallystick.mcp import claims_of_request
from tests.support.adapters.apps import Options
from tests.support.adapters.exchange import Answer, Call, Headers, answer_of, encoded, shown
from tests.support.token_issuer import AUDIENCE

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}}
ACCEPTED: Headers = [("Accept", "application/json, text/event-stream"), ("MCP-Protocol-Version", "2025-06-18")]


def whoami() -> dict[str, Any]:
    return shown(claims_of_request())


@asynccontextmanager
async def mcp_sdk(options: Options) -> AsyncIterator[Call]:
    tokens = tallystick.mcp.AccessTokenVerifier(**options)
    server = MCPServer("Table", token_verifier=tokens, auth=tokens.auth_settings())
    server.tool()(whoami)
    hosts = TransportSecuritySettings(allowed_hosts=[urlsplit(AUDIENCE).netloc])
    app = server.streamable_http_app(
        streamable_http_path="/", json_response=True, stateless_http=True, transport_security=hosts
    )
    async with app.router.lifespan_context(app):
        yield _calls(tokens.protect(app))


@asynccontextmanager
async def fastmcp(options: Options) -> AsyncIterator[Call]:
    server = FastMCP("Table", auth=tallystick.fastmcp.AccessTokenVerifier(**options))
    server.tool(whoami)
    app = server.http_app(path="/", json_response=True, stateless_http=True, allowed_hosts=[urlsplit(AUDIENCE).netloc])
    async with app.router.lifespan_context(app):
        yield _calls(app)


MCP_SERVERS = {"mcp": mcp_sdk, "fastmcp": fastmcp}


def _calls(app: Any) -> Call:
    async def call(path: str, headers: Headers) -> Answer:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as http:
            if path != "/":
                return answer_of(await http.get(path))
            response = await http.post("/", json=CALL, headers=encoded([*ACCEPTED, *headers]))
        if response.status_code == 200:
            (content,) = response.json()["result"]["content"]
            response = httpx.Response(200, content=json.dumps(json.loads(content["text"])))
        return answer_of(response)

    return call
