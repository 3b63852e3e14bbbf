"""The `jwks` of a client (RFC 7591 §2). One unusable key makes the whole set invalid."""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tallystick.jwk import PRIVATE_MEMBERS, PublicKey, parse_jwk

MAX_KEYS = 20
MAX_BYTES = 16 * 1024
MAX_RSA_BITS = 4096
MAX_RSA_EXPONENT = 65_537


def check_client_jwks(jwks: dict[str, Any]) -> dict[str, Any]:
    """Return `jwks` if it is a JWK Set of public keys that can verify signatures.

    A key with `use` "enc" is accepted and never used: clients publish it in the same set, and we encrypt nothing.
    Raises ValueError with a reason that quotes no key.
    """
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not keys:
        raise ValueError("must be an object with a list of keys")
    if len(keys) > MAX_KEYS or len(json.dumps(jwks)) > MAX_BYTES:
        raise ValueError(f"must have at most {MAX_KEYS} keys and {MAX_BYTES} bytes")
    for position, key in enumerate(keys):
        try:
            if isinstance(key, dict) and key.get("use") == "enc" and PRIVATE_MEMBERS.isdisjoint(key):
                continue
            if is_costly(parse_jwk(key, kid_may_be_absent=True)):
                raise ValueError(f"RSA has at most {MAX_RSA_BITS} bits, and an exponent of {MAX_RSA_EXPONENT} at most")
        except ValueError as reason:
            raise ValueError(f"key {position}: {reason}") from None
    return jwks


def is_costly(key: PublicKey) -> bool:
    """Whether it is an RSA key so large that an attacker could keep us busy: each verification takes milliseconds."""
    if not isinstance(key.key, RSAPublicKey):
        return False
    return key.key.key_size > MAX_RSA_BITS or key.key.public_numbers().e > MAX_RSA_EXPONENT
