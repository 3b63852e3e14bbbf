"""How a client authenticates at the token endpoint: with a secret, or with a signed assertion."""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote_plus

from tallystick.clock import Clock, system_clock
from tallystick.jwk import SigningKey
from tallystick.jwt import sign

ASSERTION_LIFETIME = 60
"""Seconds."""
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Credentials:
    """The credentials of one token request. `confidential` has all of their texts that no message may show."""

    headers: dict[str, str] = field(repr=False)
    parameters: dict[str, str] = field(repr=False)
    confidential: tuple[str, ...] = field(repr=False)


class ClientAuthentication(Protocol):
    def credentials(self, token_endpoint: str) -> Credentials: ...


class ClientSecretBasic:
    """`client_secret_basic` (RFC 6749 §2.3.1)."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        # Both parts are form-encoded, so that neither contains a colon.
        encoded = quote_plus(client_secret)
        basic = base64.b64encode(f"{quote_plus(client_id)}:{encoded}".encode()).decode()
        self._credentials = Credentials({"Authorization": f"Basic {basic}"}, {}, (client_secret, encoded, basic))

    def credentials(self, token_endpoint: str) -> Credentials:
        return self._credentials


class PrivateKeyJwt:
    """`private_key_jwt` (RFC 7523 §2.2, §3). Each request has an assertion of its own, valid for a minute."""

    def __init__(self, client_id: str, key: SigningKey, *, audience: str | None, clock: Clock = system_clock) -> None:
        """`audience` is the issuer, or None for the token endpoint."""
        self._client_id = client_id
        self._key = key
        self._audience = audience
        self._clock = clock

    def credentials(self, token_endpoint: str) -> Credentials:
        now = self._clock()
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._audience or token_endpoint,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
        }
        assertion = sign(claims, self._key, typ="client-authentication+jwt")
        return Credentials({}, {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}, (assertion,))
