"""The rules for a client assertion (RFC 7523 §3, OIDC Core §9), as functions of assertion, keys and time."""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from auth_service.authentication.clients.key_cache import Keys
from tallystick.claims import Identifier
from tallystick.clock import LEEWAY
from tallystick.errors import InvalidToken
from tallystick.jwt import CLIENT_ASSERTION, Header, parse_header, parse_unverified, verify_with_any_key
from tallystick.refusal_reasons import Reason

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""The only `client_assertion_type` (RFC 7523 §2.2)."""
MAX_LIFETIME = 3600
"""Seconds until `exp`, for which the `jti` is remembered. Client libraries ask for up to an hour."""
MAX_KEYS_TRIED = 5
"""Keys tried for an assertion without a `kid`."""

_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,200}")  # other text is no client_id, and not every database can look it up

Jti = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class AssertionRefused(Exception):
    """The assertion does not authenticate the client. `reason` is for the log and the audit trail only."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class ClientAssertionClaims(BaseModel):
    """The claims of an assertion, in the types of RFC 7523 §3. Times are Unix seconds."""

    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)

    iss: Identifier
    sub: Identifier
    aud: str | list[str]
    jti: Jti
    exp: int | float
    iat: int | float | None = None
    nbf: int | float | None = None


@dataclass(frozen=True)
class ClientAssertion:
    """A parsed assertion. `client_id` is its `iss`. Nothing is verified yet."""

    text: str
    header: Header
    client_id: str

    @classmethod
    def parse(cls, text: str, client_id: str | None) -> "ClientAssertion":
        """`client_id` is the request parameter of that name, which must agree with `iss`. Raises AssertionRefused."""
        try:
            header = parse_header(text, CLIENT_ASSERTION)
            issuer = parse_unverified(text, CLIENT_ASSERTION).get("iss")
        except InvalidToken:
            raise AssertionRefused("assertion_malformed") from None
        if not (isinstance(issuer, str) and _CLIENT_ID.fullmatch(issuer)) or client_id not in (None, issuer):
            raise AssertionRefused("assertion_subject")
        return cls(text, header, issuer)

    def verify_signature(self, keys: Keys) -> dict[str, object]:
        """The payload, verified with one of `keys` that has the header's `kid` and `alg`. Raises InvalidToken.

        Without a `kid` in the header, at most MAX_KEYS_TRIED keys for its `alg` are tried.
        """
        alg, kid = self.header.alg, self.header.kid
        matching = tuple(key for key in keys if key.is_for(alg) and kid in ("", key.kid))
        return verify_with_any_key(self.text, CLIENT_ASSERTION, matching[:MAX_KEYS_TRIED])


def check_claims(
    payload: dict[str, object], client_id: str, *, audiences: AbstractSet[str], now: int
) -> ClientAssertionClaims:
    """The claims of a verified assertion of this client. `now` is Unix seconds.

    Each `aud` must be one of `audiences`, the identifiers of this service. Raises AssertionRefused.
    """
    try:
        claims = ClientAssertionClaims.model_validate(payload)
    except ValueError:  # pydantic's ValidationError
        raise AssertionRefused("assertion_malformed") from None
    if not claims.iss == claims.sub == client_id:
        raise AssertionRefused("assertion_subject")
    named = {claims.aud} if isinstance(claims.aud, str) else set(claims.aud)
    if not named or not named <= audiences:
        raise AssertionRefused("assertion_audience")
    if now - claims.exp > LEEWAY:
        raise AssertionRefused("assertion_expired")
    if claims.exp - now > MAX_LIFETIME + LEEWAY:
        raise AssertionRefused("assertion_lifetime")
    if max(claims.iat or 0, claims.nbf or 0) - now > LEEWAY:
        raise AssertionRefused("assertion_not_yet_valid")
    return claims
