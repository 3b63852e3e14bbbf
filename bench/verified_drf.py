"""Views of Django REST Framework: ours, SimpleJWT's and without a check. See bench.verified for the arguments.

SimpleJWT is measured without its table of users, with ES256 as ours and with its default HS256.
"""

from collections.abc import Callable
from typing import Any

import django
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from bench.services import AUDIENCE
from bench.verified import BARE, ISSUER, ISSUER_TRANSPORT, OURS, PUBLIC_KEY, SECRET, Serve, measure, serve

ES256, HS256 = "SimpleJWT, ES256", "SimpleJWT, HS256"


def configure() -> None:
    public = PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY=SECRET,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "tallystick.drf"],
        TALLYSTICK={"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "TRANSPORT": ISSUER_TRANSPORT},
        REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
        SIMPLE_JWT={"ALGORITHM": "ES256", "VERIFYING_KEY": public.decode(), "ISSUER": ISSUER, "AUDIENCE": AUDIENCE},
    )
    django.setup()


def views() -> dict[str, Callable[..., Any]]:
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.response import Response
    from rest_framework.views import APIView
    from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication
    from rest_framework_simplejwt.backends import TokenBackend
    from rest_framework_simplejwt.models import TokenUser
    from rest_framework_simplejwt.tokens import AccessToken

    from tallystick.drf import AccessTokenAuthentication, HasScopes

    class View(APIView):
        authentication_classes: Any = ()
        permission_classes: Any = ()

        def get(self, request: Any) -> Any:
            return Response({"sub": "user-1"})

    class Ours(View):
        authentication_classes = (AccessTokenAuthentication,)
        permission_classes = (HasScopes,)
        required_scopes = ("notes:read",)

    class Simple(View):
        authentication_classes = (JWTStatelessUserAuthentication,)
        permission_classes = (IsAuthenticated,)

    class HmacToken(AccessToken):
        _token_backend = TokenBackend("HS256", SECRET, audience=AUDIENCE, issuer=ISSUER)

    class HmacAuthentication(JWTStatelessUserAuthentication):
        def get_validated_token(self, raw_token: Any) -> Any:
            return HmacToken(raw_token)

        def get_user(self, validated_token: Any) -> Any:
            return TokenUser(validated_token)

    class SimpleHmac(View):
        authentication_classes = (HmacAuthentication,)
        permission_classes = (IsAuthenticated,)

    return {
        OURS: Ours.as_view(),
        ES256: Simple.as_view(),
        HS256: SimpleHmac.as_view(),
        BARE: View.as_view(),
    }


def requests_to(view: Callable[..., Any]) -> Serve:
    from django.test import RequestFactory

    base = RequestFactory().get("/")

    def call(token: str) -> int:
        request = type(base)(base.environ | {"HTTP_AUTHORIZATION": f"Bearer {token}"})
        status: int = view(request).render().status_code
        return status

    return serve(call)


if __name__ == "__main__":
    configure()
    measure({name: requests_to(view) for name, view in views().items()}, hmac=HS256)
