"""Adds a note and lists the notes of the bot. While `make run` is running:

CLIENT_SECRET=$(cat var/demo/notes-bot.secret) .venv/bin/python -m examples.notes_bot
"""

import logging
import os
import sys
from datetime import UTC, datetime

import httpx

from tallystick.client import ClientCredentials, TokenError
from tallystick.request_id import outgoing_headers, own_request_id

ISSUER = os.environ.get("ISSUER", "http://localhost:8000")
API = os.environ.get("API", "http://localhost:8001")
CLIENT_ID = os.environ.get("CLIENT_ID", "notes-bot")
CLIENT_SECRET = os.environ.get("CLIENT_SECRET", "")


def notes_api(scope: str) -> httpx.Client:
    auth = ClientCredentials(issuer=ISSUER, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, scope=scope, resource=API)
    return httpx.Client(base_url=API, auth=auth, headers=outgoing_headers())


def write_and_list() -> None:
    with notes_api("notes:read notes:write") as notes:
        written = notes.post("/notes", json={"title": f"The night of {datetime.now(UTC):%d %B %Y}"}).raise_for_status()
        print(f"{CLIENT_ID} wrote: {written.json()['title']}")
        url = "/notes?limit=100"
        while url:  # a service sees only the notes that it has added
            page = notes.get(url).raise_for_status()
            for note in page.json()["notes"]:
                print(f"  {note['created_at']}  {note['title']}")
            url = page.links.get("next", {}).get("url", "")
    with notes_api("notes:read") as notes:
        refused = notes.post("/notes", json={"title": "This needs notes:write"})
        print(f"With notes:read alone, writing is refused: {refused.status_code} {refused.headers['WWW-Authenticate']}")


def main() -> int:
    if not CLIENT_SECRET:
        print("notes_bot: the environment variable CLIENT_SECRET is not set", file=sys.stderr)
        return 2
    logging.getLogger("tallystick").addHandler(logging.NullHandler())  # each failure is printed below
    try:
        with own_request_id() as request_id:
            print(f"The request ID in the logs of both services is {request_id}.")
            write_and_list()
    except (httpx.HTTPError, TokenError, ValueError) as failure:  # ValueError: a setting that cannot be used
        print(f"notes_bot: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
