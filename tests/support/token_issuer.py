"""A simulated issuer for verifiers. It signs any token that a test needs, and serves its keys over HTTP."""

import asyncio
import json
import zlib
from collections.abc import Mapping
from hashlib import sha256

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tallystick import base64url
from tallystick.jwk import SigningKey, public_jwk, thumbprint_of
from tests.support.clock import MovableClock

ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"
AGGREGATION = "/status-lists"
STATUS_LIST_URI = f"{ISSUER}/status-lists/1"


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
    """A compact JWS with a valid ES256 signature over any bytes, also over a malformed header or payload."""
    parts = (part.encode() if isinstance(part, str) else part for part in (header, payload))
    signing_input = ".".join(base64url.encode(part) for part in parts)
    assert isinstance(key.private_key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.private_key.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signing_input}.{base64url.encode(r.to_bytes(32) + s.to_bytes(32))}"


def status(idx: object, uri: object = STATUS_LIST_URI) -> dict[str, object]:
    """The claim of an access token that refers to its status."""
    return {"status_list": {"idx": idx, "uri": uri}}


class TokenIssuer:
    """It responds at its jwks_uri with `document` and `status`. `is_away` refuses connections."""

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock
        self.key = new_signing_key()
        self.document = jwk_set(self.key)
        self.metadata: dict[str, object] = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        self.status = 200
        self.is_away = False
        self.fetches = 0
        self.paths: list[str] = []
        self.lists: dict[str, PublishedList] = {}
        self.transport = httpx.MockTransport(self._answer)

    def rotate(self) -> None:
        """Replace the key with a new one, and withdraw the old one."""
        self.key = new_signing_key()
        self.document = jwk_set(self.key)

    def publish_list(self, uri: str = STATUS_LIST_URI, *, size: int = 64, announced: bool = True) -> "PublishedList":
        """Publish another status list of `size` bits. `announced`: the metadata refers to it (Token Status List §9)."""
        published = self.lists[uri] = PublishedList(self, uri, size)
        if announced:
            self.metadata["status_list_aggregation_endpoint"] = f"{ISSUER}{AGGREGATION}"
        return published

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
        """A valid access token with changed claims."""
        return jws(json.dumps(self.header()), json.dumps(self.claims(**changes)), self.key)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_away:
            raise httpx.ConnectError("connection refused")
        self.paths.append(request.url.path)
        if (published := self.lists.get(str(request.url))) is not None:
            return await published.answer(request)
        if request.url.path == AGGREGATION:
            return httpx.Response(200, json={"status_lists": list(self.lists)})
        if "/.well-known/" in request.url.path:
            return httpx.Response(200, json=self.metadata)
        self.fetches += 1
        return httpx.Response(self.status, content=self.document)


class PublishedList:
    """One status list. The response has `token` and `status`. `requests` are the requests for it.

    While `gate` is cleared, requests wait.
    """

    def __init__(self, issuer: TokenIssuer, uri: str, size: int) -> None:
        self.uri = uri
        self.statuses = bytearray(size // 8)
        self.status = 200
        self.requests: list[httpx.Request] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._issuer = issuer
        self.token = self.signed()

    def revoke(self, *indices: int) -> None:
        """Set these bits, and publish the list."""
        for idx in indices:
            self.statuses[idx // 8] |= 1 << idx % 8
        self.token = self.signed()

    def signed(self, header: Mapping[str, object] | None = None, /, **changes: object) -> str:
        """A valid list with the current time, with changes to its header and claims."""
        lst = base64url.encode(zlib.compress(bytes(self.statuses)))
        claims: dict[str, object] = {
            "sub": self.uri,
            "iat": self._issuer.clock.now,
            "exp": self._issuer.clock.now + 60,
            "ttl": 2,
            "status_list": {"bits": 1, "lst": lst},
        }
        good = {"typ": "statuslist+jwt", "alg": "ES256", "kid": self._issuer.key.kid}
        return jws(json.dumps(_changed(good, header or {})), json.dumps(_changed(claims, changes)), self._issuer.key)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await self.gate.wait()
        etag = f'"{sha256(self.token.encode()).hexdigest()}"'
        if self.status == 200 and request.headers.get("If-None-Match") == etag:
            return httpx.Response(304)
        headers = {"ETag": etag, "Content-Type": "application/statuslist+jwt"}
        return httpx.Response(self.status, content=self.token, headers=headers)


def _changed(members: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}
