"""The claims about a user at userinfo and in ID Tokens (OIDC Core §5.1, §5.4, §5.5)."""

from collections.abc import Iterable
from typing import Any

from auth_service.store.clients.clients import Client
from auth_service.store.tokens.authorization import Authorization
from auth_service.store.users.users import User
from auth_service.vocabulary.scopes import CLAIM_SCOPES, ROLES, SCOPE_CLAIMS


def claims_of_userinfo(scopes: frozenset[str], authorization: Authorization, client: Client) -> list[str]:
    """The names of the claims that the token's `scopes` allow (OIDC Core §5.4), and of those requested by name."""
    names = [name for scope, names in SCOPE_CLAIMS.items() if scope in scopes for name in names]
    return names + _requested_claims(authorization, "userinfo", client)


def claims_of_id_token(authorization: Authorization, client: Client) -> list[str]:
    """The names of the claims requested by name, and of the client's `id_token_claims` that a granted scope covers.

    `roles` belongs to no scope.
    """
    names = _requested_claims(authorization, "id_token", client)
    if client.id_token_claims:
        scopes = client.scopes.intersection(authorization.scope.split())
        names += [name for name in client.id_token_claims if name == ROLES or CLAIM_SCOPES[name] in scopes]
    return names


def user_claims(user: User, names: Iterable[str]) -> dict[str, Any]:
    """The claims of `names` that the user has. Unknown ones are left out, never null (OIDC Core §5.3.2)."""
    known = {**user.claims, "email": user.email, "updated_at": user.updated_at, ROLES: user.roles}
    return {name: known[name] for name in names if name in known}


def _requested_claims(authorization: Authorization, place: str, client: Client) -> list[str]:
    """The claims requested by name (OIDC Core §5.5) at `place`, which is "userinfo" or "id_token".

    A claim whose scope the client has lost since the request is left out.
    """
    names = (authorization.claims or {}).get(place, ())
    return [name for name in names if CLAIM_SCOPES.get(name) in client.scopes]
