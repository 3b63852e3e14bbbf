"""The permission class for scopes and recent logins."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tallystick.access_token_request import ANY_TOKEN, Requirement
from tallystick.claims import AccessTokenClaims
from tallystick.django.configuration import project_api
from tallystick.django.requests import access_token_request
from tallystick.drf.errors import RequestRefused, forbid_caching
from tallystick.errors import BearerError


class HasScopes(BasePermission):
    """The request's access token must have the scopes in `required_scopes` of the view.

    `required_scopes` is a sequence of scopes, a Requirement (scopes with `max_age` or `acr_values`, RFC 9470), or a
    dict with one of these for each method (`GET` also counts for HEAD) or action of a view set. An empty sequence
    accepts any token of the issuer for this API.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """False without an access token. Raises RequestRefused with the challenge, ImproperlyConfigured."""
        requirement = requirement_of(view, request.method)
        claims = request.auth
        if not isinstance(claims, AccessTokenClaims) or requirement is None:
            return False
        resource = project_api().resource(requirement)
        try:
            resource.accept(access_token_request(request._request), claims)
        except BearerError as error:
            forbid_caching(view)
            raise RequestRefused(resource.refuse(error)) from error
        return True


def requirement_of(view: Any, method: str | None) -> Requirement | None:
    """The requirement of a view for a method; None if its dict has none. OPTIONS needs any token.

    Raises ImproperlyConfigured for a view without `required_scopes`, and for an invalid scope.
    """
    required = getattr(view, "required_scopes", None)
    if isinstance(required, Mapping):
        action = getattr(view, "action", None)
        keys = (action, method, "GET" if method == "HEAD" else None)
        found = next((required[key] for key in keys if key in required), ANY_TOKEN if method == "OPTIONS" else None)
        if found is None:
            return None
        required = found
    if isinstance(required, Requirement):
        return required
    if isinstance(required, Sequence) and not isinstance(required, str):
        try:
            return _requirement(tuple(required))
        except (TypeError, ValueError) as reason:
            raise ImproperlyConfigured(f"{_name(view)}.required_scopes: {reason}") from reason
    raise ImproperlyConfigured(f"{_name(view)}.required_scopes is a list of scopes, a Requirement or a dict of these")


@lru_cache(1024)
def _requirement(scopes: tuple[str, ...]) -> Requirement:
    return Requirement(scopes)


def _name(view: Any) -> str:
    return type(view).__name__
