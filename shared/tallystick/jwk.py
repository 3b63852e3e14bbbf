"""Keys and their JSON form: JWK (RFC 7517), the members of each kind (RFC 7518 §6), and thumbprints (RFC 7638).

There are three kinds: P-256 for ES256, RSA of at least 2048 bits for RS256 and PS256, and Ed25519 for EdDSA.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tallystick import base64url
from tallystick.strict_json import parse_object

MAX_KID_LENGTH = 128
RSA_KEY_SIZES = range(2048, 8192 + 1)  # bits: smaller keys are weak, larger ones make verification slow
MIN_SECRET_BYTES = 32

_COORDINATE_BYTES = 32  # P-256, including leading zeros (RFC 7518 §6.2.1.2)
_ED25519_BYTES = 32
_THUMBPRINT_MEMBERS = {  # in the order of RFC 7638 §3.2, RFC 8037 §2
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

VerifyingKey = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey
PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies signatures of `alg`, or of every algorithm of its kind if `alg` is None.

    Raises ValueError when `alg` is for another kind of key.
    """

    kid: str
    alg: str | None
    key: VerifyingKey

    def __post_init__(self) -> None:
        if self.alg not in (None, *algorithms_of(self.key)):
            raise ValueError(f"this key is not for {self.alg}")

    def is_for(self, alg: str) -> bool:
        return alg == self.alg if self.alg is not None else alg in algorithms_of(self.key)


@dataclass(frozen=True)
class SigningKey:
    """A key that signs with `alg`. Raises ValueError when `alg` is for another kind of key."""

    kid: str
    alg: str
    private_key: PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        if self.alg not in algorithms_of(self.private_key.public_key()):
            raise ValueError(f"this key is not for {self.alg}")

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.kid, self.alg, self.private_key.public_key())


@dataclass(frozen=True)
class SharedSecret:
    """A secret of two parties for HS256, of at least 32 bytes (RFC 7518 §3.2). Each party can sign as the other.

    Only the profiles of `tallystick.legacy` and `tallystick.messages` accept HS256. Raises ValueError for a shorter
    secret, and for a public key or certificate, which is no secret (RFC 8725 §2.1).
    """

    key: bytes = field(repr=False)
    kid: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.key, bytes):
            raise ValueError("a secret for HS256 is bytes")
        if len(self.key) < MIN_SECRET_BYTES:
            raise ValueError(f"a secret for HS256 needs at least {MIN_SECRET_BYTES} bytes")
        if b"-----BEGIN" in self.key:
            raise ValueError("a PEM document is not a secret for HS256")
        is_jwk = self.key.startswith(b"{") and b'"kty"' in self.key
        if is_jwk or self.key.startswith((b"ssh-", b"ecdsa-sha2-")) or _is_public_key(self.key):
            raise ValueError("a key is not a secret for HS256")
        if len(self.kid) > MAX_KID_LENGTH:
            raise ValueError(f"a kid has at most {MAX_KID_LENGTH} characters")

    @property
    def alg(self) -> str:
        return "HS256"

    def is_for(self, alg: str) -> bool:
        return alg == self.alg


def algorithms_of(key: VerifyingKey) -> tuple[str, ...]:
    """The algorithms of this kind of key (RFC 7518 §3.1, RFC 8037 §3.1). Raises ValueError for another curve or size.

    No algorithm belongs to two kinds, so a signature is never checked with a wrong algorithm (RFC 8725 §3.1).
    """
    match key:
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return ("ES256",)
        case RSAPublicKey() if key.key_size in RSA_KEY_SIZES:
            return ("RS256", "PS256")
        case Ed25519PublicKey():
            return ("EdDSA",)
    raise ValueError("only P-256, Ed25519, and RSA of 2048 to 8192 bits")


def public_jwk(key: VerifyingKey, *, kid: str, alg: str) -> dict[str, str]:
    """The JWK to publish for a key that signs tokens."""
    return {**_public_members(key), "kid": kid, "use": "sig", "alg": alg}


def thumbprint_of(key: VerifyingKey) -> str:
    """The `kid` of a key. It is the same in every service that holds the key."""
    return thumbprint(_public_members(key))


def thumbprint(jwk: Mapping[str, str]) -> str:
    """The SHA-256 thumbprint of a public JWK, base64url (RFC 7638 §3). Raises ValueError when a member is missing."""
    members = _THUMBPRINT_MEMBERS.get(jwk.get("kty", ""))
    if members is None or not all(isinstance(jwk.get(name), str) for name in members):
        raise ValueError("not a public EC, OKP or RSA key")
    canonical = json.dumps({name: jwk[name] for name in members}, separators=(",", ":"))
    return base64url.encode(sha256(canonical.encode()).digest())


def parse_jwk_set(document: bytes) -> dict[str, PublicKey]:
    """The usable keys of a JWK Set, by `kid`. The caller bounds the length of the document.

    Entries with another kind, use or curve, or without a `kid`, are skipped (RFC 7517 §5). Of two keys with the same
    `kid` the first is used. Raises ValueError when the document is not a JWK Set.
    """
    keys: dict[str, PublicKey] = {}
    for key in usable_keys(parse_object(document)):
        keys.setdefault(key.kid, key)
    return keys


def usable_keys(jwk_set: Mapping[str, object], *, kid_may_be_absent: bool = False) -> Iterator[PublicKey]:
    """The usable keys of a JWK Set, in its order. Raises ValueError when it is not a JWK Set."""
    entries = jwk_set.get("keys")
    if not isinstance(entries, list):
        raise ValueError("not a JWK Set")
    for entry in entries:
        try:
            key = parse_jwk(entry, kid_may_be_absent=kid_may_be_absent)
        except ValueError:
            continue
        yield key


def parse_jwk(jwk: object, *, kid_may_be_absent: bool = False) -> PublicKey:
    """A public key for signatures. With `kid_may_be_absent`, its thumbprint replaces a missing `kid`.

    Raises ValueError with a message that shows nothing of the key.
    """
    if not isinstance(jwk, dict):
        raise ValueError("not an object")
    if not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise ValueError("a private key, which must not be published")
    if jwk.get("use", "sig") != "sig":
        raise ValueError("not for signatures")
    if "key_ops" in jwk and not (isinstance(jwk["key_ops"], list) and "verify" in jwk["key_ops"]):
        raise ValueError("not for verifying")
    key = _parse_key(jwk)
    kid = thumbprint_of(key) if kid_may_be_absent and "kid" not in jwk else jwk.get("kid")
    if not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH):
        raise ValueError("no usable kid")
    alg = jwk.get("alg")
    if "alg" in jwk and not isinstance(alg, str):
        raise ValueError("alg is not text")
    return PublicKey(kid, alg, key)


def _parse_key(jwk: Mapping[str, object]) -> VerifyingKey:
    match jwk:
        case {"kty": "EC", "crv": "P-256", "x": str(x), "y": str(y)}:
            point = base64url.decode(x), base64url.decode(y)
            if any(len(coordinate) != _COORDINATE_BYTES for coordinate in point):
                raise ValueError("a coordinate has the wrong length")
            numbers = EllipticCurvePublicNumbers(int.from_bytes(point[0]), int.from_bytes(point[1]), SECP256R1())
            return numbers.public_key()  # raises ValueError for a point that is not on the curve
        case {"kty": "RSA", "n": str(n), "e": str(e)}:
            modulus, exponent = (int.from_bytes(base64url.decode(number)) for number in (n, e))
            if modulus.bit_length() not in RSA_KEY_SIZES or exponent.bit_length() > 32:
                raise ValueError("an RSA key needs 2048 to 8192 bits and a small exponent")
            return RSAPublicNumbers(exponent, modulus).public_key()
        case {"kty": "OKP", "crv": "Ed25519", "x": str(x)}:
            encoded = base64url.decode(x)
            if len(encoded) != _ED25519_BYTES:
                raise ValueError("the key has the wrong length")
            return Ed25519PublicKey.from_public_bytes(encoded)
    raise ValueError("neither P-256, RSA nor Ed25519")


def _is_public_key(data: bytes) -> bool:
    """Whether this is the DER form of a public key, which is 32 bytes or longer for each kind."""
    try:
        load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _public_members(key: VerifyingKey) -> dict[str, str]:
    if isinstance(key, Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(key.public_bytes_raw())}
    if isinstance(key, EllipticCurvePublicKey):
        point = key.public_numbers()
        x, y = (base64url.encode(number.to_bytes(_COORDINATE_BYTES)) for number in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    numbers = key.public_numbers()
    n, e = (base64url.encode(number.to_bytes((number.bit_length() + 7) // 8)) for number in (numbers.n, numbers.e))
    return {"kty": "RSA", "n": n, "e": e}
