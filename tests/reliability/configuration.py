"""The configuration of a deployment's auth service: an API, clients and users."""

from pathlib import Path

from auth_service.authentication.users.passwords import Passwords

AUDIENCE = "http://localhost:8001"
PASSWORD = "correct horse battery staple"
SECRET = "worth-nothing-and-as-long-as-a-real-one-would-be"
APP, BOT = "app", "bot"
"""A first-party client for users, and a client with the grant client_credentials."""
THIRD_PARTIES = [f"third-party-{number}" for number in range(40)]
"""Clients that need the user's consent."""
EMAILS = [f"user-{number}@example.com" for number in range(80)]
SCOPE = "openid notes:read notes:write"


def auth_configuration(*, issuer: str, database_url: str, folder: Path) -> dict[str, object]:
    """Return the content of tallystick.toml."""
    password_hash = Passwords.hash(PASSWORD)
    web = {"client_secret": SECRET, "grant_types": ["authorization_code", "refresh_token"], "scope": SCOPE}
    app = {"client_id": APP, "first_party": True, "require_pkce": False, "redirect_uris": [redirect_uri(APP)], **web}
    bot = {"client_id": BOT, "client_secret": SECRET, "grant_types": ["client_credentials"], "scope": "notes:read"}
    third_parties = [
        {"client_id": client_id, "require_pkce": False, "redirect_uris": [redirect_uri(client_id)], **web}
        for client_id in THIRD_PARTIES
    ]
    scopes = {"notes:read": "Read your notes", "notes:write": "Change your notes"}
    return {
        "issuer": issuer,
        "database_url": database_url,
        "master_key": f"file:{folder}/master.key",
        "api": [{"audience": AUDIENCE, "name": "Notes", "scopes": scopes}],
        "client": [app, bot, *third_parties],
        "user": [{"email": email, "password_hash": password_hash} for email in EMAILS],
    }


def redirect_uri(client_id: str) -> str:
    return f"http://127.0.0.1:8011/{client_id}/callback"
