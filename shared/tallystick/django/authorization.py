"""Check the access token of a request, in a thread or on an event loop."""

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse

from tallystick.access_token_request import ANY_TOKEN, Refusal, Requirement
from tallystick.claims import AccessTokenClaims
from tallystick.django.configuration import project_api
from tallystick.django.requests import access_token_request, problem_response
from tallystick.django.user_mapping import find_user
from tallystick.errors import BearerError, MissingToken, TemporarilyUnavailable

USER_REFUSED = Refusal(403, "the user of this token may not use this API", {"Cache-Control": "no-store"})
"""Without a challenge, because the token is valid: another one would not help."""


def authorize(request: HttpRequest, requirement: Requirement | None) -> HttpResponse | None:
    """Set `request.claims`, and `request.user` with USER_FROM_CLAIMS. Return the response if the request is refused.

    `requirement` None: the request may come without a token; `request.claims` is None then.
    """
    check = _Check(request, requirement)
    try:
        claims = check.known_claims or check.api.verifier.verify(check.presented.access_token())
        check.accept(claims)
        return check.set_user(find_user(claims)) if check.needs_user else None
    except (BearerError, TemporarilyUnavailable) as error:
        return check.refuse(error)


async def authorize_async(request: HttpRequest, requirement: Requirement | None) -> HttpResponse | None:
    """As `authorize`, without blocking the event loop."""
    check = _Check(request, requirement)
    try:
        claims = check.known_claims or await check.api.async_verifier.verify(check.presented.access_token())
        check.accept(claims)
        return check.set_user(await sync_to_async(find_user)(claims)) if check.needs_user else None
    except (BearerError, TemporarilyUnavailable) as error:
        return check.refuse(error)


class _Check:
    """The steps that need neither the network nor the database."""

    def __init__(self, request: HttpRequest, requirement: Requirement | None) -> None:
        self.api = project_api()
        self.presented = access_token_request(request)
        known = getattr(request, "claims", None)
        self.known_claims: AccessTokenClaims | None = known if isinstance(known, AccessTokenClaims) else None
        """The claims that the middleware verified for this request."""
        self._request = request
        self._is_optional = requirement is None
        self._resource = self.api.resource(requirement or ANY_TOKEN)

    @property
    def needs_user(self) -> bool:
        return self.api.user_from_claims is not None and self.known_claims is None

    def accept(self, claims: AccessTokenClaims) -> None:
        if not self._is_optional:
            self._resource.accept(self.presented, claims)
        self._request.claims = claims

    def set_user(self, user: Any) -> HttpResponse | None:
        if user is None:
            return problem_response(USER_REFUSED)

        async def auser() -> Any:
            return user

        self._request.user = user
        self._request.auser = auser
        return None

    def refuse(self, error: BearerError | TemporarilyUnavailable) -> HttpResponse | None:
        if self._is_optional and isinstance(error, MissingToken):
            self._request.claims = None
            return None
        return problem_response(self._resource.refuse(error))
