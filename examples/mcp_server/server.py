"""The tools, the verifier and the ASGI app. Each user has notes of their own, in memory."""

from collections import defaultdict
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.types import ASGIApp

from tallystick.mcp import AccessTokenVerifier, claims_of_request, requires

READ, WRITE = "tools:read", "tools:write"
MAX_NOTES = 100
"""Notes of one user. The oldest is dropped."""


def create_app(issuer: str, audience: str, path: str = "/mcp", **options: Any) -> tuple[ASGIApp, Starlette]:
    """The protected app, and the SDK's app, whose lifespan the caller runs.

    `audience` is the URL of this server, which ends with `path`. `options`: see VerifierOptions.
    """
    scopes = {READ: "Read your notes", WRITE: "Add notes for you"}
    tokens = AccessTokenVerifier(issuer, audience, name="Notes tools", scopes=scopes, **options)
    server = MCPServer("Notes", token_verifier=tokens, auth=tokens.auth_settings())
    notes: dict[str, list[str]] = defaultdict(list)

    @server.tool()
    @requires(READ)
    def read_notes() -> list[str]:
        """The notes of the signed-in user, the oldest first."""
        return notes[claims_of_request().sub]

    @server.tool()
    @requires(WRITE)
    def add_note(text: str) -> str:
        """Add a note for the signed-in user."""
        own = notes[claims_of_request().sub]
        own.append(text)
        del own[:-MAX_NOTES]
        return f"There are {len(own)} notes."

    host = audience.split("/")[2]
    app = server.streamable_http_app(
        streamable_http_path=path,
        json_response=True,
        stateless_http=True,
        transport_security=TransportSecuritySettings(allowed_hosts=[host]),
    )
    return tokens.protect(app), app
