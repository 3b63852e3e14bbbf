"""Access tokens: at+jwt, ES256, one audience (RFC 9068)."""

import secrets
from collections.abc import Mapping

from pydantic import ValidationError

from auth_service.store.tokens.token_families import Family
from tallystick import base64url, jwt
from tallystick.claims import AccessTokenClaims
from tallystick.errors import InvalidToken
from tallystick.jwk import PublicKey

_FAMILY_ID_BYTES = 16
_RANDOM_BYTES = 8


def access_token_claims(
    family: Family, *, issuer: str, audience: str, scope: str, status_list_uri: str, now: int, lifetime: int
) -> dict[str, object]:
    """The claims of a new access token. `lifetime` is seconds.

    No row is written per token: the `jti` contains the family's id, and the index in the status list is the family's
    (Token Status List §6.2).
    """
    authorization = family.authorization
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": authorization.sub or authorization.client_id,
        "aud": audience,
        "client_id": authorization.client_id,
        "jti": base64url.encode(family.family_id + secrets.token_bytes(_RANDOM_BYTES)),
        "iat": now,
        "exp": now + lifetime,
        "scope": scope,
        "status": {"status_list": {"idx": family.status_index, "uri": status_list_uri}},
    }
    if authorization.auth_time is not None:
        claims["auth_time"] = authorization.auth_time
    if authorization.acr is not None:
        claims["acr"] = authorization.acr
    if family.roles:
        claims["roles"] = family.roles
    return claims


def family_id_of(claims: AccessTokenClaims) -> bytes:
    """The id of the family that a verified access token belongs to. Raises ValueError for a `jti` of another form."""
    jti = base64url.decode(claims.jti)
    if len(jti) != _FAMILY_ID_BYTES + _RANDOM_BYTES:
        raise ValueError("not one of our jti")
    return jti[:_FAMILY_ID_BYTES]


def read_access_token(
    access_token: str, *, issuer: str, keys: Mapping[str, PublicKey], now: int | None
) -> AccessTokenClaims:
    """The claims of an access token that we issued, for any audience. With `now` None, expired ones are read, too.

    Raises InvalidToken. It does not look whether the token's family is live.
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
