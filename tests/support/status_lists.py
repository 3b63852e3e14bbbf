"""Status lists, read with joserfc and by the rules of the specification, as an independent verifier reads them."""

import base64
import json
import zlib
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.jwk import KeySet

from auth_service.composition import Provider
from tests.support.auth_service import AuthService
from tests.support.relying_party import RelyingParty, claims_of, header_of

Reference = dict[str, Any]


@dataclass(frozen=True)
class ReadList:
    header: dict[str, Any]
    claims: dict[str, Any]
    bits: bytes

    @property
    def size(self) -> int:
        return 8 * len(self.bits)

    def is_revoked(self, access_token: str) -> bool:
        index = reference_of(access_token)["idx"]
        return bool(self.bits[index // 8] >> index % 8 & 1)

    @property
    def revoked(self) -> int:
        """The number of set bits."""
        return int.from_bytes(self.bits, "little").bit_count()


async def access_token(rp: RelyingParty) -> str:
    """An access token of a user."""
    token: str = (await rp.tokens())["access_token"]
    return token


async def own_token(bot: RelyingParty) -> str:
    token: str = (await bot.client_credentials()).json()["access_token"]
    return token


def reference_of(access_token: str) -> Reference:
    """The `status_list` reference in an access token."""
    reference: Reference = claims_of(access_token)["status"]["status_list"]
    return reference


def provider_of(auth: AuthService) -> Provider:
    provider: Provider = auth.app.state.provider
    return provider


async def look(auth: AuthService) -> None:
    """Publish a list if one is due, as each process does several times a second."""
    await provider_of(auth).status_list_publisher.publish_if_due()


async def next_list(auth: AuthService) -> ReadList:
    """The list one second later."""
    auth.clock.advance(seconds=1)
    await look(auth)
    return await fetch(auth)


async def fetch(auth: AuthService) -> ReadList:
    http = auth.http()
    response = await http.get("/status-lists/1")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/statuslist+jwt")
    keys = KeySet.import_key_set((await http.get("/jwks")).json())
    verified = jws.deserialize_compact(response.content, keys, algorithms=["ES256"])
    claims = json.loads(verified.payload)
    encoded = claims["status_list"]["lst"]
    bits = zlib.decompress(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    return ReadList(header_of(response.text), claims, bits)
