"""The authentication class for access tokens."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from tallystick.access_token_request import ANY_TOKEN
from tallystick.claims import AccessTokenClaims
from tallystick.django.authorization import USER_REFUSED
from tallystick.django.configuration import project_api
from tallystick.django.requests import access_token_request
from tallystick.django.user_mapping import find_user
from tallystick.drf.errors import RequestRefused, forbid_caching
from tallystick.drf.permissions import HasScopes
from tallystick.drf.user import TokenUser
from tallystick.errors import BearerError, MissingToken, TemporarilyUnavailable


class AccessTokenAuthentication(BaseAuthentication):
    """`request.auth` is the verified AccessTokenClaims. `request.user` is a TokenUser, or with the setting
    USER_FROM_CLAIMS a Django user.
    """

    def authenticate(self, request: Request) -> tuple[Any, AccessTokenClaims] | None:
        """None without a token, as for other classes. Raises RequestRefused."""
        api = project_api()
        presented, resource = access_token_request(request._request), api.resource(ANY_TOKEN)
        view = _view_of(request)
        try:
            claims = api.verifier.verify(presented.access_token())
            user = TokenUser(claims) if api.user_from_claims is None else find_user(claims)
            if api.counts_verdicts and not _checks_scopes(view):
                resource.accept(presented, claims)  # only counts: any token is accepted
        except MissingToken:
            return None
        except (BearerError, TemporarilyUnavailable) as error:
            forbid_caching(view)
            raise RequestRefused(resource.refuse(error)) from error
        if user is None:
            forbid_caching(view)
            raise RequestRefused(USER_REFUSED)
        return user, claims

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a request without a token. Without it, the framework would answer 403 instead of 401."""
        refusal = project_api().resource(ANY_TOKEN).refuse(MissingToken("an access token is required"))
        forbid_caching(_view_of(request))
        return refusal.headers["WWW-Authenticate"]


def _view_of(request: Request) -> Any:
    return (request.parser_context or {}).get("view")


def _checks_scopes(view: Any) -> bool:
    """Whether a HasScopes of the view will count the request."""
    return view is not None and any(isinstance(each, HasScopes) for each in view.get_permissions())
