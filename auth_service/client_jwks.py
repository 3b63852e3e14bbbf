"""The `jwks` that a client registers (RFC 7591 §2): refused as a whole when one of its keys is of no use."""

import json
from typing import Any

from tallystick.jwk import PRIVATE_MEMBERS, parse_jwk

MOST_KEYS = 20
MOST_BYTES = 16 * 1024


def check_client_jwks(jwks: dict[str, Any]) -> dict[str, Any]:
    """Return `jwks` if it is a JWK Set of public keys, each of which we can verify signatures with.

    One with `use` "enc" is let through and never used: clients keep theirs in the same place, and we encrypt nothing.
    Raises ValueError with a reason that shows no key.
    """
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not keys:
        raise ValueError("must be an object with a list of keys")
    if len(keys) > MOST_KEYS or len(json.dumps(jwks)) > MOST_BYTES:
        raise ValueError(f"must have at most {MOST_KEYS} keys and {MOST_BYTES} bytes")
    for position, key in enumerate(keys):
        try:
            if not (isinstance(key, dict) and key.get("use") == "enc" and PRIVATE_MEMBERS.isdisjoint(key)):
                parse_jwk(key, kid_may_be_absent=True)
        except ValueError as reason:
            raise ValueError(f"key {position}: {reason}") from None
    return jwks
