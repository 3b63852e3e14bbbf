"""The audience of an access token, and the scopes that it gets there (RFC 8707, RFC 9068 §3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from auth_service.store.clients.apis import Apis
from auth_service.vocabulary.scopes import OIDC_SCOPES
from tallystick.errors import InvalidScope, InvalidTarget, quoted
from tallystick.scope import parse_scope
from tallystick_service.urls import without_root_path


@dataclass(frozen=True)
class Target:
    """`audience` is one API's, or the issuer itself for a token with OpenID Connect's scopes alone."""

    audience: str
    scope: str


def choose_target(scope: str, *, requested: Sequence[str], allowed: Sequence[str], apis: Apis, issuer: str) -> Target:
    """Choose the one audience for a token with `scope`, and those of its scopes that the audience understands.

    `requested` are the `resource` values of the token request, `allowed` those of the authorization request; an empty
    `allowed` allows any. Without either, the audience is the API that owns the scopes. Raises InvalidTarget unless
    there is exactly one.
    """
    if len(requested) > 1:
        raise InvalidTarget("a token has one audience: name one resource", reason="audience_ambiguous")
    named = [_audience(resource, apis, issuer) for resource in requested]
    if named and allowed and named[0] not in allowed:
        text = f"the authorization request did not name the resource {quoted(requested[0])}"
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


def narrow_scope(scope: str | None, *, granted: str, apis: Apis) -> str:
    """The scope of a refreshed token: what was granted, or the part of it that `scope` requests (RFC 6749 §6).

    Unknown scopes are left out, as the authorization endpoint does. Raises InvalidScope for a known scope that was not
    granted, and when no scope remains.
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
    """The audience that a `resource` value names, as it is declared. Raises InvalidTarget."""
    api = apis.for_resource(resource)
    if api is not None:
        return api.audience
    if without_root_path(resource) == issuer:
        return issuer
    raise InvalidTarget(f"the resource {quoted(resource)} is not an API known here", reason="resource_unknown")
