"""Signs access tokens and ID Tokens for a token family."""

from typing import Any

from auth_service.keys.key_ring import KeyRing
from auth_service.settings.settings import Lifetimes
from auth_service.status_list.index_pool import StatusIndexPool
from auth_service.status_list.status_list_token import status_list_uri
from auth_service.store.clients.clients import Client
from auth_service.store.tokens.token_families import Family
from auth_service.store.users import users
from auth_service.tokens.access_token import access_token_claims
from auth_service.tokens.id_token import id_token_claims
from auth_service.tokens.user_claims import claims_of_id_token, user_claims
from tallystick import jwt
from tallystick.clock import Clock
from tallystick.errors import InvalidGrant
from tallystick_service.store import Store

TokenResponse = dict[str, Any]
"""The members of a token response (RFC 6749 §5.1)."""


class TokenIssuer:
    """Makes the signed parts of token responses. Raises TemporarilyUnavailable without a key to sign with."""

    def __init__(
        self,
        *,
        issuer: str,
        lifetimes: Lifetimes,
        store: Store,
        key_ring: KeyRing,
        status_indexes: StatusIndexPool,
        clock: Clock,
    ) -> None:
        self._issuer = issuer
        self._lifetimes = lifetimes
        self._store = store
        self._key_ring = key_ring
        self._status_indexes = status_indexes
        self._status_list_uri = status_list_uri(issuer)
        self._clock = clock

    async def require_keys(self, *id_token_algs: str) -> None:
        """Check that there are keys to sign with, before a code or refresh token is spent.

        `id_token_algs` are the algorithms of the ID Tokens that will follow. Raises TemporarilyUnavailable.
        """
        for alg in {"ES256", *id_token_algs}:
            await self._key_ring.signing_key(alg)

    async def access_token_response(self, family: Family, *, audience: str, scope: str) -> TokenResponse:
        """The members of a token response that every grant has."""
        key = await self._key_ring.signing_key()
        if family.status_index is None:
            family = await self._with_status_index(family)
        claims = access_token_claims(
            family,
            issuer=self._issuer,
            audience=audience,
            scope=scope,
            status_list_uri=self._status_list_uri,
            now=self._clock(),
            lifetime=self._lifetimes.access_token,
        )
        return {
            "access_token": jwt.sign(claims, key, typ="at+jwt"),
            "token_type": "Bearer",
            "expires_in": self._lifetimes.access_token,
            "scope": scope,
        }

    async def id_token(self, family: Family, client: Client, *, nonce: str | None = None) -> str:
        """An ID Token, signed with the algorithm that the client is registered with.

        Besides the protocol's claims it has the user claims that the client asked for by name (OIDC Core §5.5), and
        those of its `id_token_claims` that belong to a granted scope.
        """
        authorization = family.authorization
        key = await self._key_ring.signing_key(client.id_token_signed_response_alg)
        claims = id_token_claims(
            authorization, issuer=self._issuer, nonce=nonce, now=self._clock(), lifetime=self._lifetimes.id_token
        )
        names = claims_of_id_token(authorization, client)
        if names and authorization.sub is not None:
            user = await self._store.read(users.find_user, authorization.sub)
            claims = (user_claims(user, names) if user else {}) | claims
        return jwt.sign(claims, key, typ="JWT")

    async def _with_status_index(self, family: Family) -> Family:
        """Families that began before there were status indexes get one when they are used."""
        indexed = await self._status_indexes.give_index(family)
        if indexed is None:
            raise InvalidGrant("what was granted has been taken back", reason="grant_ended")
        return indexed
