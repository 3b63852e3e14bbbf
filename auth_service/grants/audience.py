"""For which one API an access token is, and what it may do there (RFC 8707, RFC 9068 §3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from auth_service.oidc_scopes import OIDC_SCOPES
from auth_service.store.apis import Apis
from tallystick.errors import InvalidScope, InvalidTarget
from tallystick.scope import parse_scope


@dataclass(frozen=True)
class Target:
    """`audience` is one API's, or the issuer's own when only OpenID Connect's scopes are asked for."""

    audience: str
    scope: str


def choose_target(scope: str, *, asked: Sequence[str], allowed: Sequence[str], apis: Apis, issuer: str) -> Target:
    """One audience for a token with `scope`.

    `asked` are the resources of this request, at most one; `allowed` those of the authorization request, none meaning
    any. Without either, the API that owns the scopes. Raises InvalidTarget when that is not exactly one.
    """
    if len(asked) > 1:
        raise InvalidTarget("a token has one audience: name one resource")
    if asked and allowed and asked[0] not in allowed:
        raise InvalidTarget("the resource is not one that was asked for at the authorization endpoint")
    words = scope.split()
    candidates = list(asked or allowed)
    if not candidates:
        owners = {apis.owner[word].audience for word in words if word in apis.owner}
        candidates = sorted(owners) or [issuer]
    if len(candidates) > 1:
        raise InvalidTarget("the scopes belong to several APIs: name one by the resource parameter")
    audience = candidates[0]
    api = apis.by_audience.get(audience)
    if api is None and audience != issuer:
        raise InvalidTarget("the resource is not an API known here")
    understood = OIDC_SCOPES if api is None else api.scopes.keys()
    if understood.isdisjoint(words):
        raise InvalidTarget("nothing was granted for this resource")
    return Target(audience, " ".join(word for word in words if word in OIDC_SCOPES or word in understood))


def narrowed(scope: str | None, *, granted: str) -> str:
    """The scope asked for at a refresh: what was granted, or a part of it (RFC 6749 §6). Raises InvalidScope."""
    if scope is None:
        return granted
    try:
        words = parse_scope(scope)
    except ValueError:
        raise InvalidScope("the scope is malformed") from None
    if not words or not set(words) <= set(granted.split()):
        raise InvalidScope("the scope exceeds what was granted")
    return " ".join(words)
