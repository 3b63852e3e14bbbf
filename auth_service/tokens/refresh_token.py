"""The format of refresh tokens (RFC 6749 §1.5).

    base64url(key_version ‖ family_id ‖ generation ‖ secret ‖ MAC)           in bytes 4 + 16 + 4 + 32 + 32
    MAC = HMAC-SHA256(refresh_key, "refresh token 2" ‖ all before it ‖ client_id)

No row is written for a refresh token. The family's row has the SHA-256 of `secret`, the random part that all its
refresh tokens carry. So the refresh key and a copy of the store are not enough to compute a refresh token, and a spent
token without the refresh key is not enough, either.

The first format had no `secret` and a `key_version` of one byte. Such tokens are still accepted; their successors are
of the second format.
"""

import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from auth_service.store.tokens.refresh_tokens import RefreshToken
from tallystick import base64url
from tallystick.errors import InvalidGrant

SECRET_BYTES = 32

_MAC_BYTES = hashlib.sha256().digest_size
_BODY = struct.Struct(f">I16sI{SECRET_BYTES}s")
_FIRST_FORMAT_BODY = struct.Struct(">B16sI")
_PURPOSE = b"refresh token 2"  # a MAC of the first format begins with the version byte, which is not a letter


@dataclass(frozen=True)
class ParsedRefreshToken:
    """The parts of a refresh token whose MAC has not been checked. `secret` is None in the first format."""

    key_version: int
    family_id: bytes
    generation: int
    secret: bytes | None = field(repr=False)
    body: bytes = field(repr=False)
    mac: bytes = field(repr=False)


def encode_refresh_token(
    family_id: bytes, generation: int, client_id: str, *, secret: bytes, key_version: int, keys: Mapping[int, bytes]
) -> str:
    """`secret` is the family's random part, SECRET_BYTES long. `keys` maps versions to refresh keys of 32 bytes."""
    body = _BODY.pack(key_version, family_id, generation, secret)
    return base64url.encode(body + _mac(keys[key_version], _PURPOSE + body, client_id))


def parse_refresh_token(refresh_token: str) -> ParsedRefreshToken:
    """Raises InvalidGrant for a text of neither format."""
    try:
        raw = base64url.decode(refresh_token)
    except ValueError:
        raise _invalid() from None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(body) == _BODY.size:
        key_version, family_id, generation, secret = _BODY.unpack(body)
        return ParsedRefreshToken(key_version, family_id, generation, secret, body, mac)
    if len(body) == _FIRST_FORMAT_BODY.size:
        key_version, family_id, generation = _FIRST_FORMAT_BODY.unpack(body)
        return ParsedRefreshToken(key_version, family_id, generation, None, body, mac)
    raise _invalid()


def check_refresh_token(parsed: ParsedRefreshToken, client_id: str, *, keys: Mapping[int, bytes]) -> RefreshToken:
    """Check that the MAC is ours and was made for this client. The store checks the random part.

    Raises InvalidGrant.
    """
    key = keys.get(parsed.key_version)
    signed = parsed.body if parsed.secret is None else _PURPOSE + parsed.body
    if key is None or not hmac.compare_digest(parsed.mac, _mac(key, signed, client_id)):
        raise _invalid()
    secret_hash = None if parsed.secret is None else hashlib.sha256(parsed.secret).digest()
    return RefreshToken(parsed.family_id, parsed.generation, parsed.key_version, secret_hash)


def _mac(key: bytes, body: bytes, client_id: str) -> bytes:
    return hmac.digest(key, body + client_id.encode(), "sha256")


def _invalid() -> InvalidGrant:
    return InvalidGrant("the refresh token is not one of this client's", reason="refresh_token_invalid")
