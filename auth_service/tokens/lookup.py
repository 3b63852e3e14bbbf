"""Finds the kind of a token that a client presents at /introspect or /revoke (RFC 7009 §2.1, RFC 7662 §2.1)."""

from dataclasses import dataclass

from auth_service.keys.key_ring import KeyRing
from auth_service.store.clients.clients import Client
from auth_service.store.tokens import refresh_tokens, token_families
from auth_service.store.tokens.refresh_tokens import RefreshToken
from auth_service.store.tokens.token_families import Family
from auth_service.tokens.access_token import family_id_of, read_access_token
from auth_service.tokens.refresh_token_codec import RefreshTokenCodec
from tallystick.claims import AccessTokenClaims
from tallystick.clock import Clock
from tallystick.errors import InvalidGrant, InvalidToken
from tallystick_service.store import Store


@dataclass(frozen=True)
class IssuedAccessToken:
    """An access token with a valid signature of ours. It may have expired, and its family may be revoked."""

    claims: AccessTokenClaims
    family_id: bytes


class TokenLookup:
    def __init__(
        self,
        *,
        issuer: str,
        store: Store,
        key_ring: KeyRing,
        refresh_tokens: RefreshTokenCodec,
        clock: Clock,
        login_session_idle: int,
    ) -> None:
        """`login_session_idle` is the seconds after which an idle login session ends."""
        self._issuer = issuer
        self._store = store
        self._key_ring = key_ring
        self._refresh_tokens = refresh_tokens
        self._clock = clock
        self._login_session_idle = login_session_idle

    async def identify_token(self, token: str, client: Client) -> IssuedAccessToken | RefreshToken | None:
        """The kind of our token that this is; None for any other text, and for another client's refresh token.

        The MAC of a refresh token has been checked, its random part has not. `token_type_hint` is not needed, because
        only access tokens contain dots.
        """
        if "." not in token:
            try:
                refresh_token, _ = await self._refresh_tokens.decode(token, client.client_id)
            except InvalidGrant:
                return None
            return refresh_token
        try:
            return await self.read_access_token(token, now=None)
        except InvalidToken:
            return None

    async def read_access_token(self, token: str, *, now: int | None) -> IssuedAccessToken:
        """An access token of ours, for any audience. With `now` None, expired ones are read, too.

        Raises InvalidToken.
        """
        keys = await self._key_ring.verification_keys()
        claims = read_access_token(token, issuer=self._issuer, keys=keys, now=now)
        try:
            return IssuedAccessToken(claims, family_id_of(claims))
        except ValueError:
            raise InvalidToken("the token is malformed") from None

    async def find_live_family(self, family_id: bytes) -> Family | None:
        """The family, if it, its client, its user and its login session are active now."""
        return await self._store.read(
            token_families.find_live_family,
            family_id,
            now=self._clock(),
            login_session_idle=self._login_session_idle,
        )

    async def find_family_of_current_token(self, refresh_token: RefreshToken) -> Family | None:
        """The live family whose current refresh token this is; None for a spent token."""
        return await self._store.read(
            refresh_tokens.find_family_of_current_token,
            refresh_token,
            now=self._clock(),
            login_session_idle=self._login_session_idle,
        )
