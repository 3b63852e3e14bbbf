"""The refresh token (RFC 6749 §1.5): which family, which generation, and a MAC that only we can make.

base64url(version ‖ family_id ‖ generation ‖ HMAC-SHA256(refresh_key, all of it ‖ client_id)), in bytes 1 + 16 + 4 + 32.
No row is kept for one: a guess changes nothing, and a genuine token can always be told from a forged one.
"""

import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from tallystick import base64url
from tallystick.errors import InvalidGrant

_BODY = struct.Struct(">B16sI")
_LENGTH = _BODY.size + hashlib.sha256().digest_size


@dataclass(frozen=True)
class RefreshToken:
    """A genuine refresh token: we made it, for this client. Whether its family lives is for the store to say."""

    family_id: bytes
    generation: int


def write(family_id: bytes, generation: int, client_id: str, *, keys: Mapping[int, bytes]) -> str:
    """`keys` maps a version (0 to 255) to a key of 32 bytes; the newest is used."""
    version = max(keys)
    body = _BODY.pack(version, family_id, generation)
    return base64url.encode(body + _mac(keys[version], body, client_id))


def read(refresh_token: str, client_id: str, *, keys: Mapping[int, bytes]) -> RefreshToken:
    """Raises InvalidGrant for every reason alike: malformed, forged, or another client's."""
    try:
        raw = base64url.decode(refresh_token)
    except ValueError:
        raise _refused() from None
    if len(raw) != _LENGTH:
        raise _refused()
    body, mac = raw[: _BODY.size], raw[_BODY.size :]
    version, family_id, generation = _BODY.unpack(body)
    key = keys.get(version)
    if key is None or not hmac.compare_digest(mac, _mac(key, body, client_id)):
        raise _refused()
    return RefreshToken(family_id, generation)


def _mac(key: bytes, body: bytes, client_id: str) -> bytes:
    return hmac.digest(key, body + client_id.encode(), "sha256")


def _refused() -> InvalidGrant:
    return InvalidGrant("the refresh token is not one of this client's", reason="refresh_token_invalid")
