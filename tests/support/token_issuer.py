"""The far side of a verifier: an issuer that signs whatever a test asks for, and answers for its keys over HTTP."""

import json
from collections.abc import Mapping

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tallystick import base64url
from tallystick.jwk import SigningKey, public_jwk, thumbprint_of
from tests.support.clock import MovableClock

ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"


class _Absent:
    def __repr__(self) -> str:  # one name for a test in every worker
        return "absent"


ABSENT = _Absent()
"""As the value of a claim or header: leave it out."""


def new_signing_key() -> SigningKey:
    key = ec.generate_private_key(ec.SECP256R1())
    return SigningKey(thumbprint_of(key.public_key()), "ES256", key)


def new_rsa_key() -> SigningKey:
    key = rsa.generate_private_key(65537, 2048)
    return SigningKey(thumbprint_of(key.public_key()), "RS256", key)


def jwk_set(*keys: SigningKey) -> bytes:
    return json.dumps({"keys": [public_jwk(k.public.key, kid=k.kid, alg=k.alg) for k in keys]}).encode()


def jws(header: bytes | str, payload: bytes | str, key: SigningKey) -> str:
    """A compact JWS with a genuine ES256 signature over any bytes, which is what a careless issuer might sign."""
    parts = (part.encode() if isinstance(part, str) else part for part in (header, payload))
    signing_input = ".".join(base64url.encode(part) for part in parts)
    assert isinstance(key.private_key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.private_key.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signing_input}.{base64url.encode(r.to_bytes(32) + s.to_bytes(32))}"


class TokenIssuer:
    """`document` is what it answers at its jwks_uri, `status` how; `is_away` refuses connections; `fetches` counts."""

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock
        self.key = new_signing_key()
        self.document = jwk_set(self.key)
        self.metadata: dict[str, object] = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        self.status = 200
        self.is_away = False
        self.fetches = 0
        self.paths: list[str] = []
        self.transport = httpx.MockTransport(self._answer)

    def rotate(self) -> None:
        """Another key, and the old one withdrawn."""
        self.key = new_signing_key()
        self.document = jwk_set(self.key)

    def claims(self, **changes: object) -> dict[str, object]:
        claims = {
            "iss": ISSUER,
            "sub": "user-1",
            "aud": AUDIENCE,
            "client_id": "app-one",
            "jti": "token-1",
            "iat": self.clock.now,
            "exp": self.clock.now + 300,
            "scope": "notes:read",
        }
        return _changed(claims, changes)

    def header(self, **changes: object) -> dict[str, object]:
        return _changed({"typ": "at+jwt", "alg": "ES256", "kid": self.key.kid}, changes)

    def access_token(self, **changes: object) -> str:
        """A good access token, but for the claims that are changed."""
        return jws(json.dumps(self.header()), json.dumps(self.claims(**changes)), self.key)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_away:
            raise httpx.ConnectError("connection refused")
        self.paths.append(request.url.path)
        if "/.well-known/" in request.url.path:
            return httpx.Response(200, json=self.metadata)
        self.fetches += 1
        return httpx.Response(self.status, content=self.document)


def _changed(members: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}
