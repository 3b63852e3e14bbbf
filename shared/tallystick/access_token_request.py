"""Requests with an access token: the order of the checks and the challenge, for every framework. No I/O.

RFC 6750 (bearer tokens), RFC 9470 (step-up authentication), RFC 9728 §5.1 (resource metadata).

`tallystick.protected_api` handles a request in this order:

    request = AccessTokenRequest(method, url, authorization)
    claims = verifier.verify(request.access_token())
    request.authorize(claims, requirement, now=now)

and answers a BearerError or TemporarilyUnavailable of any step with a Refusal.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus

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
from tallystick.scope import parse_scope

VERDICTS = (
    "accepted",
    "no_token",
    "invalid_request",  # several Authorization headers
    *("malformed", "unknown_key", "bad_signature", "bad_claims", "wrong_issuer", "wrong_audience"),
    *("expired", "not_yet_valid", "revoked", "status_unknown", "legacy_ended"),
    "insufficient_scope",
    "insufficient_user_authentication",
    "temporarily_unavailable",
)
"""The outcomes of a request that needs a token, for metrics. An InvalidToken has its `reason` as verdict."""

PROBLEM_MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Requirement:
    """The requirements of an endpoint for a verified token.

    `scopes`: all of them. `max_age`: a login at most this many seconds ago. `acr_values`: a login with any of these,
    the preferred one first. Raises ValueError for an invalid scope or acr, and for a `max_age` below 1; TypeError for a
    function, which a decorator without parentheses passes.
    """

    scopes: tuple[str, ...] = ()
    max_age: int | None = None
    acr_values: Collection[str] = ()

    def __post_init__(self) -> None:
        if any(callable(scope) for scope in self.scopes):
            raise TypeError("write requires() with parentheses, as in @requires()")
        object.__setattr__(self, "scopes", parse_scope(" ".join(self.scopes)))
        if self.max_age is not None and self.max_age < 1:
            raise ValueError("max_age is a number of seconds, at least 1")
        # An acr is a word of a space-separated list in a quoted string, as a scope is.
        if isinstance(self.acr_values, str) or parse_scope(" ".join(self.acr_values)) != tuple(self.acr_values):
            raise ValueError("acr_values are words of printable ASCII without double quote and backslash, each once")
        object.__setattr__(self, "acr_values", tuple(self.acr_values))


ANY_TOKEN = Requirement()
"""Any token of the issuer for this audience."""


_SECOND_SCHEME = re.compile(r", *[A-Za-z]+ ")
"""Servers may join repeated headers with a comma (RFC 9110 §5.3). No access token has one."""


@dataclass(slots=True)  # a frozen one takes several times as long to construct
class AccessTokenRequest:
    """The parts of an HTTP request that decide about its access token.

    `authorization` has the value of every Authorization header. `url` returns the URL of the request; it is a function,
    because only a sender-constrained token needs the URL.
    """

    method: str
    url: Callable[[], str]
    authorization: Sequence[str]

    def access_token(self) -> str:
        """The unverified token of the scheme Bearer. Raises as `bearer_token` does, also for joined headers."""
        token = bearer_token(self.authorization)
        if _SECOND_SCHEME.search(token):
            raise InvalidBearerRequest("more than one Authorization header")
        return token

    def authorize(self, claims: AccessTokenClaims, requirement: Requirement, *, now: int) -> None:
        """Check the claims of the verified token. `now` is Unix seconds.

        Raises InsufficientScope, then InsufficientUserAuthentication, because a new login gives no scope.
        """
        require_scopes(claims, requirement.scopes)
        if requirement.max_age is not None or requirement.acr_values:
            require_authentication(claims, max_age=requirement.max_age, acr_values=requirement.acr_values, now=now)


@dataclass(frozen=True)
class Refusal:
    """The response to a refused request. A framework with error bodies of its own uses `description` instead of
    `problem`.
    """

    status: int
    description: str
    headers: dict[str, str]

    @property
    def problem(self) -> dict[str, object]:
        """The body as problem details (RFC 9457), for the media type PROBLEM_MEDIA_TYPE."""
        title = HTTPStatus(self.status).phrase
        return {"type": "about:blank", "title": title, "status": self.status, "detail": self.description}


def bearer_token(authorization: Sequence[str]) -> str:
    """The access token in a request's Authorization headers. `authorization` has the value of each.

    A token in the query or the body is ignored (RFC 9700 §4.3.2). Raises MissingToken without a header and for another
    scheme, InvalidBearerRequest for several headers, InvalidToken for a scheme without a token.
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
    """Raises InsufficientScope, which names all of `scopes`, unless the token has all of them."""
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
    """Raises InsufficientUserAuthentication unless the user's login is recent and strong enough (RFC 9470).

    `max_age`: at most this many seconds ago, without leeway. `acr_values`: any of these. A token without the claim is
    refused, for example that of a client without a user. An `auth_time` more than `leeway` seconds in the future is
    refused, because it would stay recent for too long.
    """

    def refusal(description: str) -> InsufficientUserAuthentication:
        return InsufficientUserAuthentication(description, max_age=max_age, acr_values=" ".join(acr_values))

    if acr_values and claims.acr not in acr_values:
        raise refusal("needs another kind of login")
    if max_age is not None and (claims.auth_time is None or not -leeway <= now - claims.auth_time <= max_age):
        raise refusal(f"needs a login at most {max_age} seconds ago")


def challenge(refusal: BearerError, resource_metadata: str | None = None) -> str:
    """The value of WWW-Authenticate. `resource_metadata` is the URL of the API's metadata, which names the issuer.

    A request without a token gets no error code (RFC 6750 §3.1). Nothing is escaped: descriptions, scopes, acr_values
    and URLs are not the caller's, and have no character that a quoted string would escape.
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
