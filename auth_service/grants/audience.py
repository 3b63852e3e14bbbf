"""For which one API an access token is, and what it may do there (RFC 8707, RFC 9068 §3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from auth_service.store.clients.apis import Apis
from auth_service.vocabulary.scopes import OIDC_SCOPES
from tallystick.errors import InvalidScope, InvalidTarget, quoted
from tallystick.scope import parse_scope
from tallystick_service.urls import without_root_path


@dataclass(frozen=True)
class Target:
    """`audience` is one API's, or the issuer's own when only OpenID Connect's scopes are asked for."""

    audience: str
    scope: str


def choose_target(scope: str, *, asked: Sequence[str], allowed: Sequence[str], apis: Apis, issuer: str) -> Target:
    """Return one audience for a token with `scope`, and those of its scopes that the audience understands.

    `asked` are the resources of this request, at most one; `allowed` those of the authorization request, none meaning
    any. Without either, the API that owns the scopes. Raises InvalidTarget when that is not exactly one.
    """
    if len(asked) > 1:
        raise InvalidTarget("a token has one audience: name one resource", reason="audience_ambiguous")
    named = [_audience(resource, apis, issuer) for resource in asked]
    if named and allowed and named[0] not in allowed:
        text = f"the authorization request did not name the resource {quoted(asked[0])}"
        raise InvalidTarget(text, reason="resource_not_granted")
    words = scope.split()
    candidates = named or list(allowed)
    if not candidates:
        owners = {apis.owner[word].audience for word in words if word in apis.owner}
        candidates = sorted(owners) or [issuer]
    if len(candidates) > 1:
        text = "the scopes belong to several APIs: name one by the resource parameter"
        raise InvalidTarget(text, reason="audience_ambiguous")
    audience = candidates[0]
    api = apis.by_audience.get(audience)
    if api is None and audience != issuer:
        raise InvalidTarget(f"the resource {quoted(audience)} is not an API known here", reason="resource_unknown")
    understood = OIDC_SCOPES if api is None else api.scopes.keys()
    if understood.isdisjoint(words):
        text = f"nothing was granted for the resource {quoted(audience)}"
        raise InvalidTarget(text, reason="resource_not_granted")
    return Target(audience, " ".join(word for word in words if word in OIDC_SCOPES or word in understood))


def narrowed(scope: str | None, *, granted: str, apis: Apis) -> str:
    """Return the scope asked for at a refresh: what was granted, or a part of it (RFC 6749 §6).

    Scopes that are not known here are left out, because the authorization endpoint left them out, too. Raises
    InvalidScope for a known one that was not granted, and when nothing remains.
    """
    if scope is None:
        return granted
    try:
        words = parse_scope(scope)
    except ValueError:
        raise InvalidScope("the scope is malformed", reason="scope_malformed") from None
    known = [word for word in words if word in OIDC_SCOPES or word in apis.owner]
    if excess := [word for word in known if word not in granted.split()]:
        raise InvalidScope(f"the scope {excess[0]} exceeds what was granted", reason="scope_not_granted")
    if not known:
        raise InvalidScope("none of the scopes was granted", reason="scope_unknown")
    return " ".join(known)


def _audience(resource: str, apis: Apis, issuer: str) -> str:
    """The declared form of what a `resource` names. Raises InvalidTarget."""
    api = apis.for_resource(resource)
    if api is not None:
        return api.audience
    if without_root_path(resource) == issuer:
        return issuer
    raise InvalidTarget(f"the resource {quoted(resource)} is not an API known here", reason="resource_unknown")
