"""What is told of a user, at userinfo or in an ID Token (OIDC Core §5.1, §5.4, §5.5)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from auth_service.store.users.users import User
from auth_service.vocabulary.scopes import CLAIM_SCOPES, ROLES, SCOPE_CLAIMS


def of_scopes(scopes: Collection[str]) -> list[str]:
    """The names of the claims that the scopes tell (OIDC Core §5.4)."""
    return [name for scope, names in SCOPE_CLAIMS.items() if scope in scopes for name in names]


def asked_for(claims: Mapping[str, Collection[str]] | None, place: str, scopes: Collection[str]) -> list[str]:
    """The names of the claims asked for one by one at `place`, userinfo or id_token, as it was stored with the code.

    What has been taken from the client since, whose `scopes` these are, is not told any more.
    """
    return [name for name in (claims or {}).get(place, ()) if CLAIM_SCOPES.get(name) in scopes]


def told_in_id_tokens(names: Iterable[str], scopes: Collection[str]) -> list[str]:
    """Those of a client's `id_token_claims` that the granted `scopes` cover (OIDC Core §5.4); roles need no scope."""
    return [name for name in names if name == ROLES or CLAIM_SCOPES[name] in scopes]


def claims_of(user: User, names: Iterable[str]) -> dict[str, Any]:
    """Those of `names` that the user has; what is unknown is left out, never null (OIDC Core §5.3.2)."""
    known = {**user.claims, "email": user.email, "updated_at": user.updated_at, ROLES: user.roles}
    return {name: known[name] for name in names if name in known}
