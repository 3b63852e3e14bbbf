"""The Status List Token: a bit for each token family, set when its access tokens are revoked (Token Status List §5.1).

The specification is draft-ietf-oauth-status-list-21; it has no RFC number yet.
"""

import zlib
from collections.abc import Iterable

from tallystick import base64url, jwt
from tallystick.jwk import SigningKey

TYP = "statuslist+jwt"
MEDIA_TYPE = "application/statuslist+jwt"

RESIGN_EVERY = 10
"""Seconds after which a list is signed anew though nothing has changed, so that its `iat` tells that we live."""
TTL = 2
"""Seconds after which a verifier should look again."""


def status_list_uri(issuer: str) -> str:
    return f"{issuer}/status-lists/1"


def write(revoked: Iterable[int], *, size: int, issuer: str, iat: int, lifetime: int, key: SigningKey) -> str:
    """The signed list of `size` bits in which those of `revoked` are set. `lifetime` is seconds.

    Takes milliseconds for each MiB, so not on an event loop.
    """
    bits = bytearray(size // 8)
    for index in revoked:
        bits[index >> 3] |= 1 << (index & 7)
    claims = {
        "iss": issuer,
        "sub": status_list_uri(issuer),
        "iat": iat,
        "exp": iat + lifetime,
        "ttl": TTL,
        "status_list": {"bits": 1, "lst": base64url.encode(zlib.compress(bits, 6))},
    }
    return jwt.sign(claims, key, typ=TYP)
