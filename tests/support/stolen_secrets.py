"""The tokens that an attacker can compute from a copy of the store and the master key."""

import hmac
import struct
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from auth_service.keys.bootstrap import load_secret
from auth_service.keys.master_key import MasterKey
from auth_service.keys.rotation_task import KeyRotationTask
from auth_service.keys.service_secrets import REFRESH_KEY, rotate_secrets
from auth_service.store.schema.tables import token_families
from auth_service.tokens import access_token
from tallystick import base64url
from tallystick.claims import AccessTokenClaims
from tests.support.auth_service import AuthService
from tests.support.declared import MASTER_KEY
from tests.support.relying_party import RelyingParty, claims_of
from tests.support.status_lists import provider_of
from tests.support.waiting import until

master_key = MasterKey.load(MASTER_KEY, may_create=False)


@dataclass
class StolenCopy:
    """A copy of the token families, and of the refresh keys, decrypted with the stolen master key."""

    rows: list[dict[str, Any]]
    refresh_keys: dict[int, bytes]

    @classmethod
    async def take(cls, auth: AuthService) -> "StolenCopy":
        rows = await auth.store.read(families)
        return cls(rows, await load_secret(auth.store, master_key, REFRESH_KEY))

    def computable_tokens(self, tokens: dict[str, Any], client_id: str) -> list[str]:
        """Every refresh token that the attacker can compute for the family of an access token, in both formats."""
        family_id = access_token.family_id_of(AccessTokenClaims.model_validate(claims_of(tokens["access_token"])))
        (row,) = [row for row in self.rows if row["family_id"] == family_id]
        known = [row["token_secret_hash"] or b"", family_id, bytes(32), row["refresh_key_version"].to_bytes(4)]
        computed = []
        for generation in range(4):
            for version, key in self.refresh_keys.items():
                computed.append(first_format(key, version, family_id, generation, client_id))
                computed.extend(
                    second_format(key, version, family_id, generation, client_id, secret.ljust(32, b"\0"))
                    for secret in known
                )
        return computed


def first_format(key: bytes, version: int, family_id: bytes, generation: int, client_id: str) -> str:
    body = struct.pack(">B16sI", version, family_id, generation)
    return base64url.encode(body + hmac.digest(key, body + client_id.encode(), "sha256"))


def second_format(key: bytes, version: int, family_id: bytes, generation: int, client_id: str, secret: bytes) -> str:
    body = struct.pack(">I16sI32s", version, family_id, generation, secret)
    return base64url.encode(body + hmac.digest(key, b"refresh token 2" + body + client_id.encode(), "sha256"))


def families(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(token_families)).mappings()]


def _remove_random_part(connection: Connection, family_id: bytes) -> None:
    row = token_families.c.family_id == family_id
    connection.execute(update(token_families).where(row).values(token_secret_hash=None, secret_since=None))


async def first_format_tokens(auth: AuthService, rp: RelyingParty, **changes: str) -> dict[str, Any]:
    """The tokens of a family from before refresh tokens had a random part."""
    tokens = await rp.tokens(**changes)
    family_id = access_token.family_id_of(AccessTokenClaims.model_validate(claims_of(tokens["access_token"])))
    await auth.store.write(_remove_random_part, family_id)
    refresh_keys = await load_secret(auth.store, master_key, REFRESH_KEY)
    return tokens | {"refresh_token": first_format(refresh_keys[1], 1, family_id, 0, rp.client_id)}


async def refreshed(rp: RelyingParty, refresh_token: str) -> dict[str, Any]:
    response = await rp.refresh(refresh_token)
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


async def replace_secrets(auth: AuthService, *, is_stolen: bool = False, wait_for_task: bool = False) -> None:
    """Replace the secrets as `keys rotate-secrets` does, and return when the running service uses them.

    With `wait_for_task` its task finds them in a second or two. Without, one run of the task is added at once.
    """
    await rotate_secrets(auth.store, master_key, auth.clock, is_stolen=is_stolen)
    newest = max(await load_secret(auth.store, master_key, REFRESH_KEY))
    provider = provider_of(auth)
    if not wait_for_task:
        await KeyRotationTask(provider.key_ring, provider.secrets).run_once()
    await until(lambda: newest in provider.secrets.versions(REFRESH_KEY))
