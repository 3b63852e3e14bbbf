"""The refresh token (RFC 6749 §1.5): which family, which generation, a random part, and a MAC that only we can make.

    base64url(key_version ‖ family_id ‖ generation ‖ secret ‖ MAC)           in bytes 4 + 16 + 4 + 32 + 32
    MAC = HMAC-SHA256(refresh_key, "refresh token 2" ‖ all before it ‖ client_id)

No row is written for one. The family's row has the SHA-256 of `secret`, which all its refresh tokens carry. The
refresh key and a copy of the store are not enough to compute one; neither is a spent token without the refresh key.

The first format had no `secret`, and a version of one byte. Such a token is still read, and what it is traded for is of
the second format.
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
_FIRST_BODY = struct.Struct(">B16sI")
_PURPOSE = b"refresh token 2"  # the first format's MAC begins with its version, which is no letter


@dataclass(frozen=True)
class ParsedToken:
    """A refresh token taken apart, before anything about it is believed. `secret` is None in the first format."""

    key_version: int
    family_id: bytes
    generation: int
    secret: bytes | None = field(repr=False)
    body: bytes = field(repr=False)
    mac: bytes = field(repr=False)


def write(
    family_id: bytes, generation: int, client_id: str, *, secret: bytes, key_version: int, keys: Mapping[int, bytes]
) -> str:
    """`secret` is the family's random part, SECRET_BYTES long. `keys` maps a version to a key of 32 bytes."""
    body = _BODY.pack(key_version, family_id, generation, secret)
    return base64url.encode(body + _mac(keys[key_version], _PURPOSE + body, client_id))


def parse(refresh_token: str) -> ParsedToken:
    """Raises InvalidGrant for what has neither format."""
    try:
        raw = base64url.decode(refresh_token)
    except ValueError:
        raise _refused() from None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(body) == _BODY.size:
        key_version, family_id, generation, secret = _BODY.unpack(body)
        return ParsedToken(key_version, family_id, generation, secret, body, mac)
    if len(body) == _FIRST_BODY.size:
        key_version, family_id, generation = _FIRST_BODY.unpack(body)
        return ParsedToken(key_version, family_id, generation, None, body, mac)
    raise _refused()


def check(parsed: ParsedToken, client_id: str, *, keys: Mapping[int, bytes]) -> RefreshToken:
    """That the MAC is ours, and for this client. Raises InvalidGrant; the random part is for the store to check."""
    key = keys.get(parsed.key_version)
    signed = parsed.body if parsed.secret is None else _PURPOSE + parsed.body
    if key is None or not hmac.compare_digest(parsed.mac, _mac(key, signed, client_id)):
        raise _refused()
    secret_hash = None if parsed.secret is None else hashlib.sha256(parsed.secret).digest()
    return RefreshToken(parsed.family_id, parsed.generation, parsed.key_version, secret_hash)


def _mac(key: bytes, body: bytes, client_id: str) -> bytes:
    return hmac.digest(key, body + client_id.encode(), "sha256")


def _refused() -> InvalidGrant:
    return InvalidGrant("the refresh token is not one of this client's", reason="refresh_token_invalid")
