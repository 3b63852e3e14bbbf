"""What the auth service is told: an API, an app, a bot, clients that have to ask for consent, and people."""

from pathlib import Path

from auth_service.authentication.users.passwords import Passwords

AUDIENCE = "http://localhost:8001"
PASSWORD = "correct horse battery staple"
SECRET = "worth-nothing-and-as-long-as-a-real-one-would-be"
APP, BOT = "app", "bot"
GUESTS = [f"guest-{number}" for number in range(40)]
"""Clients that have to ask the user for consent."""
PEOPLE = [f"person-{number}@example.com" for number in range(80)]
SCOPE = "openid notes:read notes:write"


def declared(*, issuer: str, database_url: str, folder: Path) -> dict[str, object]:
    """tallystick.toml, as a table."""
    password_hash = Passwords.hash(PASSWORD)
    web = {"client_secret": SECRET, "grant_types": ["authorization_code", "refresh_token"], "scope": SCOPE}
    app = {"client_id": APP, "first_party": True, "require_pkce": False, "redirect_uris": [redirect_uri(APP)], **web}
    bot = {"client_id": BOT, "client_secret": SECRET, "grant_types": ["client_credentials"], "scope": "notes:read"}
    guests = [
        {"client_id": guest, "require_pkce": False, "redirect_uris": [redirect_uri(guest)], **web} for guest in GUESTS
    ]
    scopes = {"notes:read": "Read your notes", "notes:write": "Change your notes"}
    return {
        "issuer": issuer,
        "database_url": database_url,
        "master_key": f"file:{folder}/master.key",
        "api": [{"audience": AUDIENCE, "name": "Notes", "scopes": scopes}],
        "client": [app, bot, *guests],
        "user": [{"email": email, "password_hash": password_hash} for email in PEOPLE],
    }


def redirect_uri(client_id: str) -> str:
    return f"http://127.0.0.1:8011/{client_id}/callback"
