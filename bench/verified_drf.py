"""Views of Django REST Framework in this process: ours, SimpleJWT's and without a check. Prints the samples as JSON.

`python -m bench.verified_drf same|new ROUNDS SECONDS`: the same token each time, or another one. All tokens are signed
before the measurement. SimpleJWT is measured without its table of users, with ES256 as ours and with its default HS256.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import cycle
from typing import Any

import django
import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from bench.figures import Sample, interleaved
from bench.services import AUDIENCE
from tallystick.jwk import public_jwk, thumbprint_of

ISSUER = "https://id.example.com"
SECRET = "a secret for this measurement only, of more than 32 bytes"
TOKENS = 6000
"""More than fit into the cache of verified tokens, so that with `new` no token is found there."""

OURS, ES256, HS256, BARE = "ours", "SimpleJWT, ES256", "SimpleJWT, HS256", "no check"

_key = ec.generate_private_key(ec.SECP256R1())
_kid = thumbprint_of(_key.public_key())


def _answer(request: httpx.Request) -> httpx.Response:
    if "/.well-known/" in request.url.path:
        return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"})
    return httpx.Response(200, json={"keys": [public_jwk(_key.public_key(), kid=_kid, alg="ES256")]})


def configure() -> None:
    public = _key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY=SECRET,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "tallystick.drf"],
        TALLYSTICK={"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "TRANSPORT": httpx.MockTransport(_answer)},
        REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
        SIMPLE_JWT={"ALGORITHM": "ES256", "VERIFYING_KEY": public.decode(), "ISSUER": ISSUER, "AUDIENCE": AUDIENCE},
    )
    django.setup()


def tokens(algorithm: str, count: int) -> list[str]:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "client_id": "app-one",
        "scope": "notes:read",
    }
    claims |= {"iat": now, "exp": now + 3600, "token_type": "access", "user_id": "user-1"}
    key: Any = _key if algorithm == "ES256" else SECRET
    headers = {"typ": "at+jwt", "kid": _kid}
    return [
        jwt.encode(claims | {"jti": f"token-{number}"}, key, algorithm=algorithm, headers=headers)
        for number in range(count)
    ]


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


def contender(view: Callable[..., Any], presented: Iterator[str], seconds: float) -> Callable[[], Sample]:
    from django.test import RequestFactory

    base = RequestFactory().get("/")

    def contend() -> Sample:
        count, cpu, begin = 0, time.process_time(), time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            request = type(base)(base.environ | {"HTTP_AUTHORIZATION": f"Bearer {next(presented)}"})
            if view(request).render().status_code != 200:
                raise SystemExit("the request was refused")
            count += 1
        return Sample(count, elapsed, time.process_time() - cpu)

    return contend


def main(mode: str, rounds: str, seconds: str) -> None:
    configure()
    count = 1 if mode == "same" else TOKENS
    signed = {OURS: tokens("ES256", count), HS256: tokens("HS256", count)}
    contenders = {
        name: contender(view, cycle(signed.get(name, signed[OURS])), float(seconds)) for name, view in views().items()
    }
    samples = interleaved(contenders, rounds=int(rounds))
    print(json.dumps({name: [asdict(sample) for sample in each] for name, each in samples.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
