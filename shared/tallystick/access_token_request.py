"""Bearer tokens in HTTP: Authorization in, WWW-Authenticate out (RFC 6750, RFC 9470, RFC 9728 §5.1).

Knows no framework.
"""

from collections.abc import Collection, Sequence

from tallystick.claims import AccessTokenClaims
from tallystick.clock import LEEWAY
from tallystick.errors import (
    BearerError,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidBearerRequest,
    InvalidToken,
    MissingToken,
)


def bearer_token(authorization: Sequence[str]) -> str:
    """The access token in a request's Authorization headers, of which `authorization` holds every value.

    A token in the query or the body is never looked for (RFC 9700 §4.3.2). Raises MissingToken when there is no header
    or it is of another scheme, InvalidBearerRequest when there are several, InvalidToken when the scheme stands alone.
    """
    if not authorization:
        raise MissingToken("an access token is required")
    if len(authorization) > 1:
        raise InvalidBearerRequest("more than one Authorization header")
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != "bearer":
        raise MissingToken("an access token is required, by the scheme Bearer")
    token = token.strip(" ")
    if not token:
        raise InvalidToken("no token follows the scheme")
    return token


def require_scopes(claims: AccessTokenClaims, scopes: Collection[str]) -> None:
    """Raises InsufficientScope, which names all of `scopes`, unless the token has every one of them."""
    if not claims.scopes.issuperset(scopes):
        scope = " ".join(scopes)
        raise InsufficientScope(f"needs the scope {scope}", scope=scope)


def require_authentication(
    claims: AccessTokenClaims,
    *,
    max_age: int | None = None,
    acr_values: Collection[str] = (),
    now: int,
    leeway: int = LEEWAY,
) -> None:
    """Raises InsufficientUserAuthentication unless the user's login is as fresh and as strong as this (RFC 9470).

    `max_age`: at most so many seconds ago, without leeway; `acr_values`: in one of these ways. A token that does not
    say so is refused, as is one of a program, which has no login at all. An `auth_time` may be up to `leeway` seconds
    in the future; one beyond that would stay fresh for as long as it likes.
    """

    def refusal(description: str) -> InsufficientUserAuthentication:
        return InsufficientUserAuthentication(description, max_age=max_age, acr_values=" ".join(acr_values))

    if acr_values and claims.acr not in acr_values:
        raise refusal("needs another kind of login")
    if max_age is not None and (claims.auth_time is None or not -leeway <= now - claims.auth_time <= max_age):
        raise refusal(f"needs a login at most {max_age} seconds ago")


def challenge(refusal: BearerError, resource_metadata: str | None = None) -> str:
    """The value of WWW-Authenticate. `resource_metadata` is the URL from which a client learns where tokens are issued.

    A request that brought no token gets no error code (RFC 6750 §3.1). Nothing here needs escaping: descriptions,
    scopes, acr_values and URLs are ours, and made of characters that a quoted string holds as they are.
    """
    parameters = {"resource_metadata": resource_metadata} if resource_metadata else {}
    if refusal.error:
        parameters = {"error": refusal.error, "error_description": refusal.description, **parameters}
    if isinstance(refusal, InsufficientScope):
        parameters["scope"] = refusal.scope
    if isinstance(refusal, InsufficientUserAuthentication):
        if refusal.max_age is not None:
            parameters["max_age"] = str(refusal.max_age)
        if refusal.acr_values:
            parameters["acr_values"] = refusal.acr_values
    return ("Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())).rstrip()
