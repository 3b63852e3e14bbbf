"""ID Tokens (OIDC Core §2)."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from auth_service.store.tokens.authorization import Authorization
from tallystick import jwt
from tallystick.errors import InvalidToken
from tallystick.jwk import PublicKey


class IDTokenHint(BaseModel):
    """The claims of an ID Token of ours that a client sends back as `id_token_hint`. It may have expired."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    iss: str
    sub: str
    aud: str
    exp: int
    # Required, because a signed userinfo response has no auth_time and is our only other JWT with this typ (RFC 8725
    # §3.11).
    auth_time: int
    sid: str | None = None


def id_token_claims(
    authorization: Authorization, *, issuer: str, nonce: str | None, now: int, lifetime: int
) -> dict[str, object]:
    """The protocol's claims of a new ID Token. `lifetime` is seconds.

    `sid` is the public name of the login session, not its cookie or a hash of it.
    """
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": authorization.sub,
        "aud": authorization.client_id,
        "iat": now,
        "exp": now + lifetime,
        "auth_time": authorization.auth_time,
    }
    if authorization.acr is not None:
        claims["acr"] = authorization.acr
    if authorization.sid is not None:
        claims["sid"] = authorization.sid
    if nonce is not None:
        claims["nonce"] = nonce
    return claims


def read_id_token_hint(id_token_hint: str, *, issuer: str, keys: Mapping[str, PublicKey]) -> IDTokenHint | None:
    """The claims of an `id_token_hint`; None when we did not sign it. An expired one is read, too: a hint is no
    credential.
    """
    try:
        hint = IDTokenHint.model_validate(jwt.verify_signature(id_token_hint, jwt.ID_TOKEN, keys.__getitem__))
    except (InvalidToken, ValidationError):
        return None
    return hint if hint.iss == issuer else None
