"""The Status List Token: one bit for each token family, set when the family's access tokens are revoked.

Token Status List §5.1. The specification is draft-ietf-oauth-status-list-21; it has no RFC number yet.
"""

import zlib
from collections.abc import Iterable

from auth_service.vocabulary.timing import STATUS_LIST_TTL
from tallystick import base64url, jwt
from tallystick.jwk import SigningKey

TYP = "statuslist+jwt"
MEDIA_TYPE = "application/statuslist+jwt"


def status_list_uri(issuer: str) -> str:
    return f"{issuer}/status-lists/1"


def sign_status_list(
    revoked: Iterable[int], *, size: int, issuer: str, iat: int, lifetime: int, key: SigningKey
) -> str:
    """The signed list of `size` bits, in which the `revoked` indexes are set. `lifetime` is seconds.

    It takes some milliseconds for each MiB of bits, so it must not run on an event loop.
    """
    bits = bytearray(size // 8)
    for index in revoked:
        bits[index >> 3] |= 1 << (index & 7)
    claims = {
        "iss": issuer,
        "sub": status_list_uri(issuer),
        "iat": iat,
        "exp": iat + lifetime,
        "ttl": STATUS_LIST_TTL,
        "status_list": {"bits": 1, "lst": base64url.encode(zlib.compress(bits, 6))},
    }
    return jwt.sign(claims, key, typ=TYP)
