"""The `jwks` that a client registers (RFC 7591 §2): refused as a whole when one of its keys is of no use."""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tallystick.jwk import PRIVATE_MEMBERS, PublicKey, parse_jwk

MOST_KEYS = 20
MOST_BYTES = 16 * 1024
MOST_RSA_BITS = 4096
LARGEST_EXPONENT = 65_537


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
            if isinstance(key, dict) and key.get("use") == "enc" and PRIVATE_MEMBERS.isdisjoint(key):
                continue
            if is_costly(parse_jwk(key, kid_may_be_absent=True)):
                raise ValueError(f"RSA has at most {MOST_RSA_BITS} bits, and an exponent of {LARGEST_EXPONENT} at most")
        except ValueError as reason:
            raise ValueError(f"key {position}: {reason}") from None
    return jwks


def is_costly(key: PublicKey) -> bool:
    """An RSA key with which a stranger could keep us busy: a signature takes milliseconds to be found wrong."""
    if not isinstance(key.key, RSAPublicKey):
        return False
    return key.key.key_size > MOST_RSA_BITS or key.key.public_numbers().e > LARGEST_EXPONENT
