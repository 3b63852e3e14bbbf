"""The authorization of a code and a token family: the access of a client, and its user and login session."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Authorization:
    """The rights that a client received. A code holds them, and the token family of the code inherits them.

    A client that acts for itself (RFC 6749 §4.4) has only a `client_id`: no user, no login session and, in the family,
    no scope, because each of its requests names one.
    """

    client_id: str
    sub: str | None = None
    sid: str | None = None
    """The login session in which the user authorized it. With `offline_access` the tokens outlive that session."""
    scope: str = ""
    resources: list[str] = field(default_factory=list)
    """The `resource` values of the authorization request (RFC 8707); empty: any API."""
    claims: dict[str, Any] | None = None
    """The `claims` parameter (OIDC Core §5.5), as far as it is supported."""
    auth_time: int | None = None
    acr: str | None = None

    @property
    def session_bound_sid(self) -> str | None:
        """The login session that the tokens end with; None for those that outlive it."""
        return None if "offline_access" in self.scope.split() else self.sid
