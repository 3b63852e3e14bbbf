"""Bearer tokens in HTTP: Authorization in, WWW-Authenticate out (RFC 6750, RFC 9728 §5.1). Knows no framework."""

from collections.abc import Collection, Sequence

from tallystick.claims import AccessTokenClaims
from tallystick.errors import BearerError, InsufficientScope, InvalidBearerRequest, InvalidToken, MissingToken


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


def challenge(refusal: BearerError, resource_metadata: str | None = None) -> str:
    """The value of WWW-Authenticate. `resource_metadata` is the URL from which a client learns where tokens are issued.

    A request that brought no token gets no error code (RFC 6750 §3.1). Nothing here needs escaping: descriptions,
    scopes and URLs are ours, and made of characters that a quoted string holds as they are.
    """
    parameters = {"resource_metadata": resource_metadata} if resource_metadata else {}
    if refusal.error:
        parameters = {"error": refusal.error, "error_description": refusal.description, **parameters}
    if isinstance(refusal, InsufficientScope):
        parameters["scope"] = refusal.scope
    return ("Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())).rstrip()
