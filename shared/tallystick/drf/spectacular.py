"""The security scheme of AccessTokenAuthentication in the OpenAPI documents of drf-spectacular."""

from typing import Any
from weakref import WeakKeyDictionary

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from tallystick.django.configuration import project_api
from tallystick.drf.permissions import HasScopes, requirement_of

_scopes: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()
"""The scopes of each document that is being written: the later operations add theirs."""


class AccessTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    """The authorization code flow, with the required scopes of each operation."""

    target_class = "tallystick.drf.authentication.AccessTokenAuthentication"
    match_subclasses = True
    name = "Tallystick"

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[Any]]:
        scopes: list[str] = []
        if any(isinstance(each, HasScopes) for each in auto_schema.view.get_permissions()):
            requirement = requirement_of(auto_schema.view, auto_schema.method)
            scopes = [] if requirement is None else list(requirement.scopes)
        for scope in scopes:
            _scopes_of(auto_schema).setdefault(scope, "")
        return {self.name: scopes}

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        api = project_api()
        flow = {
            "authorizationUrl": api.authorization_endpoint,
            "tokenUrl": api.token_endpoint,
            "scopes": _scopes_of(auto_schema),
        }
        return {"type": "oauth2", "flows": {"authorizationCode": flow}}


def _scopes_of(auto_schema: Any) -> dict[str, str]:
    return _scopes.setdefault(auto_schema.registry, dict(project_api().scopes))
