"""The configuration of the auth service in HTTP tests: two APIs, two users, and a client of every kind."""

import json
from collections.abc import Mapping
from typing import Any

from auth_service.settings.settings import Settings
from tests.support.patience import PATIENCE

ISSUER = "https://id.example.com"
NOTES = "https://api.example.com"
CALENDAR = "https://calendar.example.com"
MASTER_KEY = "A" * 43

EMAIL = "ada@example.com"
OTHER_EMAIL = "grace@example.com"
PASSWORD = "correct horse battery staple"
WRONG_PASSWORD = "incorrect horse battery staple"

EVERY_SCOPE = "openid profile email address phone offline_access notes:read notes:write calendar:read"

ODD_CLIENT_ID = "bot:with+odd%signs"
ODD_SECRET = "100% + a:b&c=d / e?f, and long enough"

ADDRESS = {"locality": "London", "country": "United Kingdom"}
PROFILE = {
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "middle_name": "King",
    "nickname": "Ada",
    "preferred_username": "ada",
    "profile": "https://people.example.com/ada",
    "picture": "https://people.example.com/ada.jpg",
    "website": "https://ada.example.com",
    "gender": "female",
    "birthdate": "1985-12-10",
    "zoneinfo": "Europe/London",
    "locale": "en-GB",
}
PHONE = {"phone_number": "+44 20 7946 0958", "phone_number_verified": True}


def secret_of(client_id: str) -> str:
    return f"the secret of {client_id}, which is hard to guess"


def _web(client_id: str, **changes: object) -> dict[str, object]:
    """A first-party web client on a domain of its own, with every grant and scope."""
    return {
        "client_id": client_id,
        "client_name": client_id.replace("-", " ").title(),
        "client_secret": secret_of(client_id),
        "redirect_uris": [f"https://{client_id}.example.org/callback"],
        "post_logout_redirect_uris": [f"https://{client_id}.example.org/"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": EVERY_SCOPE,
        "first_party": True,
    } | changes


def _public(client_id: str, **changes: object) -> dict[str, object]:
    public = _web(client_id, token_endpoint_auth_method="none") | changes
    del public["client_secret"]
    return public


def _service(client_id: str, scope: str, **changes: object) -> dict[str, object]:
    return {
        "client_id": client_id,
        "client_secret": secret_of(client_id),
        "grant_types": ["client_credentials"],
        "scope": scope,
    } | changes


_CLIENTS = [
    _web("app-one"),
    _web("app-two", token_endpoint_auth_method="client_secret_post"),
    _web("third-party", first_party=False),
    _web("no-refresh", grant_types=["authorization_code"]),
    _web("no-pkce", require_pkce=False),
    _web("app-query", redirect_uris=["https://app-query.example.org/callback?tenant=1"]),
    _public("spa", redirect_uris=["https://spa.example.org/callback"]),
    _public("spa-in-development", redirect_uris=["http://localhost:3000/callback"]),
    _public(
        "native",
        application_type="native",
        redirect_uris=["http://127.0.0.1/callback", "http://[::1]:1234/callback", "com.example.native:/callback"],
    ),
    _service("bot", "notes:read notes:write"),
    _service("idle-bot", ""),
    _service("bot-of-two", "notes:read calendar:read"),
    _service(ODD_CLIENT_ID, "notes:read", client_secret=ODD_SECRET),
    _service("notes-api", "", grant_types=[]),
]

_GOOD: dict[str, Any] = {
    "issuer": ISSUER,
    "master_key": MASTER_KEY,
    "database_timeout": PATIENCE,
    "api": [
        {
            "audience": NOTES,
            "name": "Notes",
            "scopes": {"notes:read": "Read your notes", "notes:write": "Change your notes"},
            "introspection_clients": ["notes-api"],
        },
        {"audience": CALENDAR, "name": "Calendar", "scopes": {"calendar:read": "Read your calendar"}},
    ],
    "client": _CLIENTS,
    "user": [
        {
            "email": EMAIL,
            "password": PASSWORD,
            "email_verified": True,
            "roles": ["editor"],
            "address": ADDRESS,
            **PROFILE,
            **PHONE,
        },
        {"email": OTHER_EMAIL, "password": PASSWORD},
    ],
}


def clients_with(changes: Mapping[str, Mapping[str, object]]) -> list[dict[str, object]]:
    """The clients above with `changes`, by client_id."""
    return [{**client, **changes.get(str(client["client_id"]), {})} for client in _CLIENTS]


def declared_settings(database_url: str, **changes: object) -> Settings:
    return Settings.model_validate(_GOOD | {"database_url": database_url} | changes)


def declared_toml(database_url: str, **changes: object) -> str:
    """The same settings as the text of a configuration file."""
    return "\n".join(
        f"{key} = {toml_value(value)}" for key, value in (_GOOD | {"database_url": database_url} | changes).items()
    )


def toml_value(value: object) -> str:
    """TOML has the syntax of JSON for strings, numbers and lists, but not for tables."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{json.dumps(key)} = {toml_value(member)}" for key, member in value.items()) + " }"
        case list():
            return "[" + ", ".join(toml_value(member) for member in value) + "]"
        case _:
            return json.dumps(value)
