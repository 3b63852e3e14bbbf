"""What an app session holds."""

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True)
class User:
    sub: str
    name: str
    email: str


@dataclass(frozen=True)
class Tokens:
    access_token: str
    expires_at: int
    """When the access token expires, in Unix seconds of this app's clock."""
    refresh_token: str | None
    id_token: str
    """The ID Token of the sign-in, which is the id_token_hint of the logout request."""


@dataclass(frozen=True)
class AppSession:
    user: User
    tokens: Tokens
    sid: str | None = None
    """The login session at the issuer, as the ID Token names it."""
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    key: bytes = b""
    """The SHA-256 of its cookie; empty before it is stored."""
