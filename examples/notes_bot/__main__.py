"""Adds a note and lists the notes of the bot. While `make run` is running:

CLIENT_SECRET=$(cat var/demo/notes-bot.secret) .venv/bin/python -m examples.notes_bot
"""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from examples.notes_bot.client_credentials import ClientCredentials, TokenRefused
from tallystick.request_id import own_request_id, send_request_id

ISSUER = os.environ.get("ISSUER", "http://localhost:8000")
API = os.environ.get("API", "http://localhost:8001")
CLIENT_ID = os.environ.get("CLIENT_ID", "notes-bot")
CLIENT_SECRET = os.environ.get("CLIENT_SECRET", "")
EVENT_HOOKS: dict[str, list[Callable[..., Any]]] = {"request": [send_request_id]}
"""Send one request ID with all requests of a run, which the logs of both services contain."""


async def run() -> None:
    with own_request_id() as request_id:
        print(f"The request ID in the logs of both services is {request_id}.")
        await write_and_list()


async def write_and_list() -> None:
    token_endpoint = await find_token_endpoint()
    async with notes_api(token_endpoint, scope="notes:read notes:write") as notes:
        written = await notes.post("/notes", json={"title": f"The night of {datetime.now(UTC):%d %B %Y}"})
        written.raise_for_status()
        print(f"{CLIENT_ID} wrote: {written.json()['title']}")
        await list_notes(notes)
    async with notes_api(token_endpoint, scope="notes:read") as notes:
        refused = await notes.post("/notes", json={"title": "This needs notes:write"})
        print(f"With notes:read alone, writing is refused: {refused.status_code} {refused.headers['WWW-Authenticate']}")


async def find_token_endpoint() -> str:
    """Return it from the issuer's metadata, whose `issuer` must be the expected one (RFC 8414 §3.3)."""
    async with httpx.AsyncClient(event_hooks=EVENT_HOOKS) as http:
        response = await http.get(f"{ISSUER}/.well-known/oauth-authorization-server")
    metadata = response.raise_for_status().json()
    if metadata["issuer"] != ISSUER:
        raise TokenRefused(f"the metadata at {ISSUER} is of another issuer")
    return str(metadata["token_endpoint"])


def notes_api(token_endpoint: str, *, scope: str) -> httpx.AsyncClient:
    auth = ClientCredentials(token_endpoint, CLIENT_ID, CLIENT_SECRET, scope=scope, resource=API)
    return httpx.AsyncClient(base_url=API, auth=auth, event_hooks=EVENT_HOOKS)


async def list_notes(notes: httpx.AsyncClient) -> None:
    """Print all pages. A service sees only the notes that it has added."""
    url = "/notes?limit=100"
    while url:
        page = await notes.get(url)
        for note in page.raise_for_status().json()["notes"]:
            print(f"  {note['created_at']}  {note['title']}")
        url = page.links.get("next", {}).get("url", "")


def main() -> int:
    if not CLIENT_SECRET:
        print("notes_bot: the environment variable CLIENT_SECRET is not set", file=sys.stderr)
        return 2
    try:
        asyncio.run(run())
    except (httpx.HTTPError, TokenRefused) as failure:
        print(f"notes_bot: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
