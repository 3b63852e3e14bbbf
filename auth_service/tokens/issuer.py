"""From a living token family to the response that carries its tokens."""

import hashlib
from dataclasses import dataclass
from typing import Any

from auth_service.clients.registry import ClientRegistry
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.service_secrets import REFRESH_KEY, ServiceSecrets
from auth_service.settings.settings import Lifetimes
from auth_service.status_list.index_reserve import StatusIndexes
from auth_service.store.clients.clients import Client
from auth_service.store.tokens.refresh_tokens import RefreshToken
from auth_service.store.tokens.token_families import Family, FamilyLifetime, RefreshSecret
from auth_service.store.users import users
from auth_service.telemetry.metrics import AuthMetrics
from auth_service.tokens import access_token, id_token, refresh_token
from auth_service.tokens.client_families import OwnFamilies
from auth_service.tokens.user_claims import asked_for, claims_of, told_in_id_tokens
from tallystick import jwt
from tallystick.clock import Clock
from tallystick.errors import InvalidGrant, TemporarilyUnavailable
from tallystick_service.store import Store

TokenResponse = dict[str, Any]
"""RFC 6749 §5.1."""


@dataclass(frozen=True)
class Issuing:
    """All that a grant needs to issue tokens."""

    issuer: str
    lifetimes: Lifetimes
    family_lifetime: FamilyLifetime
    store: Store
    registry: ClientRegistry
    key_ring: KeyRing
    own_families: OwnFamilies
    status_indexes: StatusIndexes
    status_list_uri: str
    secrets: ServiceSecrets
    metrics: AuthMetrics
    clock: Clock

    async def keys_are_there(self, client: Client) -> None:
        """Before anything is spent: there is a key for each kind of token. Raises TemporarilyUnavailable."""
        for alg in {"ES256", client.id_token_signed_response_alg}:
            await self.key_ring.signing_key(alg)

    async def access_token(self, family: Family, *, audience: str, scope: str) -> TokenResponse:
        """The members of a token response that every grant has.

        Raises TemporarilyUnavailable without a key to sign with.
        """
        key = await self.key_ring.signing_key()
        if family.status_index is None:
            family = await self._indexed(family)
        claims = access_token.claims_for(
            family,
            issuer=self.issuer,
            audience=audience,
            scope=scope,
            status_list_uri=self.status_list_uri,
            now=self.clock(),
            lifetime=self.lifetimes.access_token,
        )
        return {
            "access_token": jwt.sign(claims, key, typ="at+jwt"),
            "token_type": "Bearer",
            "expires_in": self.lifetimes.access_token,
            "scope": scope,
        }

    async def id_token(self, family: Family, client: Client, *, sid: str | None, nonce: str | None = None) -> str:
        """By the algorithm that the client is registered with.

        Besides the protocol's claims it holds those that the client asked for by name (OIDC Core §5.5), and those of
        its `id_token_claims` that belong to a granted scope.
        """
        key = await self.key_ring.signing_key(client.id_token_signed_response_alg)
        claims = id_token.claims_for(
            family, issuer=self.issuer, sid=sid, nonce=nonce, now=self.clock(), lifetime=self.lifetimes.id_token
        )
        names = asked_for(family.claims, "id_token", client.scopes)
        if client.id_token_claims:
            names += told_in_id_tokens(client.id_token_claims, client.scopes.intersection(family.scope.split()))
        if names:
            user = await self.store.read(users.find_user, family.sub or "")
            claims = (claims_of(user, names) if user else {}) | claims
        return jwt.sign(claims, key, typ="JWT")

    async def _indexed(self, family: Family) -> Family:
        indexed = await self.status_indexes.with_index(family)
        if indexed is None:
            raise InvalidGrant("what was granted has been taken back", reason="grant_ended")
        return indexed

    def refresh_secret(self, secret: bytes) -> RefreshSecret:
        """For a family that is to begin, whose refresh tokens will carry `secret`."""
        return RefreshSecret(hashlib.sha256(secret).digest(), max(self.secrets.versions(REFRESH_KEY)))

    async def refresh_token(self, family: Family, client: Client, secret: bytes) -> str:
        """The current one. `secret` is the random part of the family, of which the store has only the hash.

        Raises TemporarilyUnavailable when the key of the family's current token cannot be read.
        """
        if family.refresh_key_version not in self.secrets.versions(REFRESH_KEY):
            await self.secrets.load_readable()  # another process has replaced the key and used it for this family
            if family.refresh_key_version not in self.secrets.versions(REFRESH_KEY):
                raise TemporarilyUnavailable("the key of the refresh token cannot be read")
        return refresh_token.write(
            family.family_id,
            family.generation,
            client.client_id,
            secret=secret,
            key_version=family.refresh_key_version,
            keys=self.secrets.versions(REFRESH_KEY),
        )

    async def read_refresh_token(self, token: str, client: Client) -> tuple[RefreshToken, bytes | None]:
        """The token, with its random part if it has one. Whether its family lives is for the store to say.

        Raises InvalidGrant for every reason alike: malformed, forged, or another client's; and StoreUnavailable.
        """
        parsed = refresh_token.parse(token)
        if parsed.key_version not in self.secrets.versions(REFRESH_KEY):
            await self.secrets.load_unknown_version()  # another process may have replaced the key a moment ago
        checked = refresh_token.check(parsed, client.client_id, keys=self.secrets.versions(REFRESH_KEY))
        return checked, parsed.secret
