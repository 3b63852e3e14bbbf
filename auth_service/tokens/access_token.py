"""Access tokens: at+jwt, ES256, one audience (RFC 9068)."""

import secrets
from collections.abc import Mapping

from pydantic import ValidationError

from auth_service.store.tokens.token_families import Family
from tallystick import base64url, jwt
from tallystick.claims import AccessTokenClaims
from tallystick.errors import InvalidToken
from tallystick.jwk import PublicKey

_JTI_BYTES = 16 + 8


def claims_for(
    family: Family, *, issuer: str, audience: str, scope: str, status_list_uri: str, now: int, lifetime: int
) -> dict[str, object]:
    """What an API is told. `lifetime` is seconds.

    The `jti` leads back to the family, and the index in the status list is the family's (Token Status List §6.2), so
    that no row is written per token.
    """
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": family.sub or family.client_id,
        "aud": audience,
        "client_id": family.client_id,
        "jti": base64url.encode(family.family_id + secrets.token_bytes(_JTI_BYTES - 16)),
        "iat": now,
        "exp": now + lifetime,
        "scope": scope,
        "status": {"status_list": {"idx": family.status_index, "uri": status_list_uri}},
    }
    if family.auth_time is not None:
        claims["auth_time"] = family.auth_time
    if family.acr is not None:
        claims["acr"] = family.acr
    if family.roles:
        claims["roles"] = family.roles
    return claims


def family_id_of(claims: AccessTokenClaims) -> bytes:
    """The family of an access token that was verified. Raises ValueError for a `jti` that we did not make."""
    jti = base64url.decode(claims.jti)
    if len(jti) != _JTI_BYTES:
        raise ValueError("not one of our jti")
    return jti[:16]


def read(access_token: str, *, issuer: str, keys: Mapping[str, PublicKey], now: int | None) -> AccessTokenClaims:
    """The claims of an access token that we issued, for whichever API. `now` None: expired or not.

    Raises InvalidToken. Whether its family lives is for the store to say.
    """
    try:
        claims = AccessTokenClaims.model_validate(
            jwt.verify_signature(access_token, jwt.ACCESS_TOKEN, keys.__getitem__)
        )
    except ValidationError:
        raise InvalidToken("the token is malformed") from None
    if claims.iss != issuer or (now is not None and claims.exp <= now):
        raise InvalidToken("the token has expired, or is another issuer's", reason="expired")
    return claims
