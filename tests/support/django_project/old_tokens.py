"""A view that accepts tokens of an old issuer, too, as in docs/migration.md."""

from datetime import date
from typing import Any

import jwt
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from tallystick.drf import AccessTokenAuthentication, HasScopes
from tallystick.drf.permissions import requirement_of
from tallystick.legacy import LegacyClaims, LegacyIssuer, LegacyIssuers
from tests.support.clock import MovableClock
from tests.support.token_issuer import ISSUER

SECRET = "s" * 32
CLOCK = MovableClock()
LEGACY = LegacyIssuers(
    [
        LegacyIssuer(
            issuer=None,
            audience=None,
            algorithm="HS256",
            secret=SECRET,
            accept_until=date(2100, 1, 1),
            scopes=["notes:read"],
        )
    ],
    issuer=ISSUER,
)


class LegacyAuthentication(BaseAuthentication):
    def authenticate(self, request: Any) -> tuple[object, LegacyClaims] | None:
        token = request.headers["Authorization"].partition(" ")[2]
        issuer = LEGACY.issuer_of(token)
        return None if issuer is None else (object(), issuer.check(token, CLOCK()))


class OldScopes(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        needed = requirement_of(view, request.method)
        if needed is None or needed.max_age is not None or needed.acr_values:
            return False
        return isinstance(request.auth, LegacyClaims) and request.auth.scopes.issuperset(needed.scopes)


class Notes(APIView):
    authentication_classes = (LegacyAuthentication, AccessTokenAuthentication)
    permission_classes = (OldScopes | HasScopes,)
    required_scopes: Any = ("notes:read",)

    def get(self, request: Any) -> Response:
        return Response(type(request.auth).__name__)


def status(token: str, required_scopes: object) -> tuple[int, Any]:
    """The status and the body of the view, which shows the kind of claims."""
    request = APIRequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})
    response = Notes.as_view(required_scopes=required_scopes)(request)
    return response.status_code, response.data


def old_token() -> str:
    claims = {"user_id": "17", "token_type": "access", "exp": CLOCK() + 60}
    return jwt.encode(claims, SECRET, algorithm="HS256")
