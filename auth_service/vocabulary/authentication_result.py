"""The result of authenticating a user by any method. A login session begins from it."""

from dataclasses import dataclass

PWD = "pwd"  # noqa: S105
"""Password-based authentication (RFC 8176 §2)."""


@dataclass(frozen=True)
class AuthenticationResult:
    """`acr` is the level (OIDC Core §2), `amr` the methods by their names in RFC 8176, `auth_time` in Unix seconds."""

    sub: str
    acr: str
    amr: tuple[str, ...]
    auth_time: int
