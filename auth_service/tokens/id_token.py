"""ID Tokens: protocol claims, and of the user only what was asked for by name (OIDC Core §2, §5.4, §5.5)."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from auth_service.store.tokens.token_families import Family
from tallystick import jwt
from tallystick.errors import InvalidToken
from tallystick.jwk import PublicKey


class IDTokenHint(BaseModel):
    """An ID Token of ours that came back, genuine but perhaps long expired."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    iss: str
    sub: str
    aud: str
    exp: int
    auth_time: int  # what a signed userinfo response lacks, the only other JWT of ours with this typ (RFC 8725 §3.11)
    sid: str | None = None


def claims_for(
    family: Family, *, issuer: str, sid: str | None, nonce: str | None, now: int, lifetime: int
) -> dict[str, object]:
    """`sid` is the login session's public name, neither its cookie nor a hash of it; `lifetime` is seconds."""
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": family.sub,
        "aud": family.client_id,
        "iat": now,
        "exp": now + lifetime,
        "auth_time": family.auth_time,
    }
    if family.acr is not None:
        claims["acr"] = family.acr
    if sid is not None:
        claims["sid"] = sid
    if nonce is not None:
        claims["nonce"] = nonce
    return claims


def read_hint(id_token_hint: str, *, issuer: str, keys: Mapping[str, PublicKey]) -> IDTokenHint | None:
    """What an `id_token_hint` says; None when we did not sign it. Expired is fine: a hint is no credential."""
    try:
        hint = IDTokenHint.model_validate(jwt.verify_signature(id_token_hint, jwt.ID_TOKEN, keys.__getitem__))
    except (InvalidToken, ValidationError):
        return None
    return hint if hint.iss == issuer else None
