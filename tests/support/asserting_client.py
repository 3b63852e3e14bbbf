"""A client that signs assertions with another JOSE library, and the server with its keys."""

import json
import secrets
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER, secret_of
from tests.support.relying_party import error_of
from tests.support.token_issuer import ABSENT

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWKS_URI = "https://client.example.org/keys"
BOT = {
    "client_id": "bot",
    "client_secret": secret_of("bot"),
    "grant_types": ["client_credentials"],
    "scope": "notes:read",
}
SPA = {"client_id": "spa", "token_endpoint_auth_method": "none", "redirect_uris": ["https://spa.example.org/"]}
REFUSED = (401, "invalid_client")


def new_key(alg: str, kid: str | None = "k1", /, **members: str) -> Key:
    """A key for `alg`; `members` go into its JWK beside the `kid`."""
    parameters: Any = members | ({} if kid is None else {"kid": kid})
    match alg:
        case "ES256":
            return ECKey.generate_key("P-256", parameters)
        case "EdDSA":
            return OKPKey.generate_key("Ed25519", parameters)
        case _:
            return RSAKey.generate_key(2048, parameters)


def jwk_of(key: Key) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


@dataclass
class AssertingClient:
    """Signs valid assertions, with the given changes. A change to ABSENT leaves the claim or header out."""

    client_id: str
    clock: MovableClock
    key: Key = field(default_factory=lambda: new_key("ES256"))
    alg: str = "ES256"

    def declared(self, **changes: object) -> dict[str, object]:
        """The client as the configuration file declares it, with its public key."""
        return {
            "client_id": self.client_id,
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [jwk_of(self.key)]},
            "grant_types": ["client_credentials"],
            "scope": "notes:read",
        } | changes

    def at_jwks_uri(self, **changes: object) -> dict[str, object]:
        """The same, with its keys at JWKS_URI."""
        return self.declared(jwks=None, jwks_uri=JWKS_URI, **changes)

    def assertion(self, header: dict[str, object] | None = None, /, **claims: object) -> str:
        now = self.clock.now
        good = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": ISSUER,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + 60,
        }
        return self.sign(json.dumps(_changed(good, claims)), header)

    def sign(self, payload: str, header: dict[str, object] | None = None) -> str:
        kid = self.key.kid
        good: dict[str, object] = {"alg": self.alg} if kid is None else {"alg": self.alg, "kid": kid}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # about the name EdDSA, which RFC 9864 deprecates
            return jws.serialize_compact(_changed(good, header or {}), payload, self.key, algorithms=[self.alg])

    def fields(self, assertion: str | None = None, **changes: str) -> dict[str, str]:
        """The form of a token request with client_credentials and an assertion."""
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": JWT_BEARER,
            "client_assertion": assertion or self.assertion(),
        } | changes


class KeysHost:
    """Answers at JWKS_URI with `keys`, or with `document` and `status`; `is_unreachable` refuses connections."""

    def __init__(self, *keys: Key) -> None:
        self.keys = list(keys)
        self.document: bytes | None = None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.is_unreachable = False
        self.urls: list[str] = []
        self.transport = httpx.MockTransport(self._answer)

    @property
    def fetches(self) -> int:
        return len(self.urls)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        if self.is_unreachable:
            raise httpx.ConnectError("connection refused")
        document = self.document or json.dumps({"keys": [jwk_of(key) for key in self.keys]}).encode()
        return httpx.Response(self.status, content=document, headers=self.headers)


def _changed(members: dict[str, object], changes: dict[str, object]) -> dict[str, Any]:
    return {name: value for name, value in (members | changes).items() if value is not ABSENT}


@asynccontextmanager
async def running(
    url: str, clock: MovableClock, *declared: dict[str, object], keys: KeysHost | None = None
) -> AsyncIterator[AuthService]:
    """A service with the clients `declared`, `bot` and `spa`. All outgoing requests go to `keys`."""
    async with running_auth_service(
        url, clock, outgoing_transport=(keys or KeysHost()).transport, client=[*declared, BOT, SPA]
    ) as auth:
        yield auth


async def ask(auth: AuthService, fields: dict[str, str], path: str = "/token", **headers: str) -> httpx.Response:
    return await auth.http().post(path, data=fields, headers=headers)


async def present(auth: AuthService, signer: AssertingClient, assertion: str | None = None) -> tuple[int, str]:
    """The outcome of a token request with the assertion: (200, ""), or status and error of the refusal."""
    response = await ask(auth, signer.fields(assertion))
    return (200, "") if response.status_code == 200 else error_of(response)
