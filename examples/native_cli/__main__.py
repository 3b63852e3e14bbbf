"""Lists your notes. While `make run` is running:

.venv/bin/python -m examples.native_cli login
.venv/bin/python -m examples.native_cli notes
.venv/bin/python -m examples.native_cli logout
"""

import argparse
import os
import sys
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path

import httpx

from examples.native_cli.errors import ProgramError, SignedOut
from examples.native_cli.issuer import Issuer, Tokens
from examples.native_cli.token_file import TokenFile
from tallystick.urls import check_identifier

ISSUER = os.environ.get("ISSUER", "http://localhost:8000")
API = os.environ.get("API", "http://localhost:8001")
CLIENT_ID = os.environ.get("CLIENT_ID", "notes-cli")
SCOPE = "notes:read offline_access"
EXPIRY_MARGIN = 10
"""Seconds before its expiry at which an access token is replaced."""
CONFIG = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def login(issuer: Issuer, tokens: TokenFile, options: argparse.Namespace) -> None:
    def show_url(url: str) -> None:
        print(f"Sign in at this address:\n{url}", flush=True)
        if not options.no_browser:
            webbrowser.open(url)

    new = issuer.sign_in(SCOPE, API, show_url=show_url, timeout=options.timeout)
    with tokens.lock():
        tokens.save(new)
    print("You are signed in.")


def notes(issuer: Issuer, tokens: TokenFile, options: argparse.Namespace) -> None:
    with httpx.Client(base_url=API, timeout=10) as http:
        query: dict[str, str] | None = {"limit": "100"}
        is_empty = True
        while query is not None:
            page = get(http, "/notes", query, issuer, tokens).json()
            for note in page["notes"]:
                is_empty = False
                print(f"{note['created_at'][:10]}  {printable(note['title'])}")
            query = {"limit": "100", "cursor": page["next_cursor"]} if page.get("next_cursor") else None
    if is_empty:
        print("You have no notes yet. In the demo, http://app-one.localhost:8011 adds one.", file=sys.stderr)


def logout(issuer: Issuer, tokens: TokenFile, options: argparse.Namespace) -> None:
    with tokens.lock():
        try:
            issuer.revoke(tokens.load())
        finally:
            tokens.delete()
    print("You are signed out.")


def get(http: httpx.Client, path: str, query: dict[str, str], issuer: Issuer, tokens: TokenFile) -> httpx.Response:
    """Call the API; after a 401, which a revoked token gets, once more with a new token."""
    token = access_token(issuer, tokens)
    response = http.get(path, params=query, headers={"Authorization": f"Bearer {token}"})
    if response.status_code == 401:
        token = access_token(issuer, tokens, refused=token)
        response = http.get(path, params=query, headers={"Authorization": f"Bearer {token}"})
    if response.status_code == 401:
        raise SignedOut
    return response.raise_for_status()


def access_token(issuer: Issuer, tokens: TokenFile, *, refused: str | None = None) -> str:
    with tokens.lock():
        current: Tokens = tokens.load()
        if current.access_token == refused or current.expires_at < time.time() + EXPIRY_MARGIN:
            current = issuer.refresh(current)
            tokens.save(current)
    return current.access_token


def printable(text: str) -> str:
    """Replace control characters, which could change what a terminal shows."""
    return "".join(character if character.isprintable() else "�" for character in text)


COMMANDS: dict[str, Callable[[Issuer, TokenFile, argparse.Namespace], None]] = {
    "login": login,
    "notes": notes,
    "logout": logout,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.native_cli", description="List your notes.")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--no-browser", action="store_true", help="print the address only (login)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds to sign in (login, %(default)s)")
    parser.add_argument("--tokens", type=Path, default=CONFIG / "tallystick-notes" / "tokens.json", metavar="FILE")
    options = parser.parse_args()
    tokens = TokenFile(options.tokens, [ISSUER, CLIENT_ID])
    try:
        check_identifier(API)  # it gets the access token
        with httpx.Client(timeout=10) as http:
            COMMANDS[options.command](Issuer(http, ISSUER, CLIENT_ID), tokens, options)
    except (ProgramError, httpx.HTTPError, OSError, ValueError) as failure:
        print(f"native_cli: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
