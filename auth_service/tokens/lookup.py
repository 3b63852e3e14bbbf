"""A token that somebody hands us to look at or to take back, of whichever kind (RFC 7009 §2.1, RFC 7662 §2.1)."""

from dataclasses import dataclass

from auth_service.store.clients.clients import Client
from auth_service.store.tokens import token_families
from auth_service.store.tokens.refresh_tokens import RefreshToken
from auth_service.store.tokens.token_families import Family
from auth_service.tokens import access_token
from auth_service.tokens.issuer import Issuing
from tallystick.claims import AccessTokenClaims
from tallystick.errors import InvalidGrant, InvalidToken


@dataclass(frozen=True)
class PresentedAccessToken:
    """Genuine; perhaps expired, perhaps of a dead family."""

    claims: AccessTokenClaims
    family_id: bytes


async def recognize(token: str, client: Client, issuing: Issuing) -> PresentedAccessToken | RefreshToken | None:
    """What kind of token of ours this is; None when it is none, or another client's refresh token.

    Of a refresh token the MAC has been checked; its random part is for the store to check. `token_type_hint` is not
    needed: the two look different.
    """
    if "." not in token:
        try:
            found, _ = await issuing.read_refresh_token(token, client)
        except InvalidGrant:
            return None
        return found
    try:
        keys = await issuing.key_ring.verification_keys()
        claims = access_token.read(token, issuer=issuing.issuer, keys=keys, now=None)
        return PresentedAccessToken(claims, access_token.family_id_of(claims))
    except (InvalidToken, ValueError):
        return None


async def live_family(family_id: bytes, issuing: Issuing) -> Family | None:
    """The family, if it and all that is above it lives now."""
    return await issuing.store.read(
        token_families.find_live,
        family_id,
        now=issuing.clock(),
        login_session_idle=issuing.lifetimes.login_session_idle,
    )
