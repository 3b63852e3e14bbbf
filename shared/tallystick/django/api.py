"""The API of a Django project."""

from collections.abc import Callable
from typing import Any

from tallystick.access_token_request import Requirement
from tallystick.claims import AccessTokenClaims
from tallystick.protected_api import ProtectedApi, ProtectedResource

required_scopes: dict[str, str] = {}
"""The scopes of all `requires`, which are known before the settings are."""


class Api(ProtectedApi):
    """`user_from_claims` finds the Django user of a token."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        user_from_claims: Callable[[AccessTokenClaims], Any] | None = None,
        **options: Any,
    ) -> None:
        """`options`: as of ProtectedApi."""
        super().__init__(issuer, audience, **options)
        self.user_from_claims = user_from_claims
        self.counts_verdicts = options.get("on_verdict") is not None
        self._resources: dict[Requirement, ProtectedResource] = {}

    def metadata_document(self) -> dict[str, object]:
        self.scopes |= {scope: "" for scope in required_scopes if scope not in self.scopes}
        return super().metadata_document()

    def resource(self, requirement: Requirement) -> ProtectedResource:
        """One object for equal requirements."""
        resource = self._resources.get(requirement)
        if resource is None:
            resource = self._resources[requirement] = super().resource(requirement)
        return resource
