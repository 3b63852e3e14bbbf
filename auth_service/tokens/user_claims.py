"""What is told of a user, at userinfo or in an ID Token (OIDC Core §5.1, §5.4, §5.5)."""

from collections.abc import Collection, Iterable
from typing import Any

from auth_service.oidc_scopes import SCOPE_CLAIMS
from auth_service.store.users import User


def of_scopes(scopes: Collection[str]) -> list[str]:
    """The names of the claims that the scopes tell (OIDC Core §5.4)."""
    return [name for scope, names in SCOPE_CLAIMS.items() if scope in scopes for name in names]


def claims_of(user: User, names: Iterable[str]) -> dict[str, Any]:
    """Those of `names` that the user has; what is unknown is left out, never null (OIDC Core §5.3.2)."""
    known = {**user.claims, "email": user.email, "updated_at": user.updated_at}
    return {name: known[name] for name in names if name in known}
