"""Refresh tokens with the refresh keys that this process holds."""

import hashlib

from auth_service.keys.service_secrets import REFRESH_KEY, ServiceSecrets
from auth_service.store.tokens.refresh_tokens import RefreshToken, Successor
from auth_service.store.tokens.token_families import Family, RefreshSecret
from auth_service.tokens.refresh_token import check_refresh_token, encode_refresh_token, parse_refresh_token
from tallystick.errors import TemporarilyUnavailable


class RefreshTokenCodec:
    """Encodes and decodes refresh tokens. Only the store knows whether the family is live."""

    def __init__(self, secrets: ServiceSecrets) -> None:
        self._secrets = secrets

    def first(self, secret: bytes) -> RefreshSecret:
        """For a new family whose refresh tokens will carry `secret`."""
        return RefreshSecret(hashlib.sha256(secret).digest(), self._newest_key_version())

    def successor(self, new_secret: bytes | None) -> Successor:
        """For the next refresh token of a family; `new_secret` when the presented token has no random part."""
        return Successor(self._newest_key_version(), hashlib.sha256(new_secret).digest() if new_secret else None)

    async def encode(self, family: Family, secret: bytes) -> str:
        """The family's current refresh token. `secret` is its random part; the store has only the hash.

        Raises TemporarilyUnavailable when the key of that token cannot be read.
        """
        if family.refresh_key_version not in self._secrets.versions(REFRESH_KEY):
            await self._secrets.load_readable()  # another process has replaced the key and used it for this family
            if family.refresh_key_version not in self._secrets.versions(REFRESH_KEY):
                raise TemporarilyUnavailable("the key of the refresh token cannot be read")
        return encode_refresh_token(
            family.family_id,
            family.generation,
            family.authorization.client_id,
            secret=secret,
            key_version=family.refresh_key_version,
            keys=self._secrets.versions(REFRESH_KEY),
        )

    async def decode(self, token: str, client_id: str) -> tuple[RefreshToken, bytes | None]:
        """The token with a checked MAC, and its random part if it has one.

        Raises InvalidGrant when the token is malformed, forged or another client's; and StoreUnavailable.
        """
        parsed = parse_refresh_token(token)
        if parsed.key_version not in self._secrets.versions(REFRESH_KEY):
            await self._secrets.load_unknown_version()  # another process may have replaced the key a moment ago
        return check_refresh_token(parsed, client_id, keys=self._secrets.versions(REFRESH_KEY)), parsed.secret

    def _newest_key_version(self) -> int:
        return max(self._secrets.versions(REFRESH_KEY))
