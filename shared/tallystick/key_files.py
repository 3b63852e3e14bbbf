"""Read the keys of a client or of a partner from PEM text (RFC 7468) or from a JWK (RFC 7517)."""

from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from tallystick import base64url
from tallystick.jwk import (
    MAX_KID_LENGTH,
    PRIVATE_MEMBERS,
    PrivateKey,
    PublicKey,
    SigningKey,
    algorithms_of,
    parse_jwk,
    thumbprint_of,
)

_CRT_MEMBERS = ("d", "p", "q", "dp", "dq", "qi")  # RFC 7518 §6.3.2: without them, a factorization would be needed


def read_signing_key(
    source: str | bytes | Mapping[str, object] | PrivateKey,
    *,
    kid: str | None = None,
    alg: str | None = None,
    password: bytes | None = None,
) -> SigningKey:
    """A private key for signatures: P-256, Ed25519, or RSA of 2048 to 8192 bits.

    `source` is PEM text, which `password` may decrypt; a JWK; or a key object of `cryptography`. `kid` and `alg`
    default to those of the JWK, then to the thumbprint (RFC 7638) and to ES256, EdDSA or RS256 by the kind of key.
    Raises ValueError with a message that shows nothing of the key.
    """
    key: object = source
    if isinstance(source, Mapping):
        key = _private_key_of(source)
        kid, alg = kid or _text(source, "kid"), alg or _text(source, "alg")
    elif isinstance(source, (str, bytes)):
        key = _private_key_in_pem(source.encode() if isinstance(source, str) else source, password)
    if not isinstance(key, (EllipticCurvePrivateKey, RSAPrivateKey, Ed25519PrivateKey)):
        raise ValueError("neither a P-256, nor an RSA, nor an Ed25519 private key")
    public = key.public_key()
    algorithms = algorithms_of(public)  # raises ValueError for another curve or size
    if kid is not None and not 0 < len(kid) <= MAX_KID_LENGTH:
        raise ValueError("no usable kid")
    return SigningKey(kid or thumbprint_of(public), alg or algorithms[0], key)


def read_public_key(
    source: str | bytes | Mapping[str, object], *, kid: str | None = None, alg: str | None = None
) -> PublicKey:
    """A public key that verifies signatures, from PEM text or a JWK. `kid` and `alg` as for `read_signing_key`.

    Without an `alg`, the key verifies every algorithm of its kind. Raises ValueError, also for a private key.
    """
    if isinstance(source, Mapping):
        parsed = parse_jwk(dict(source), kid_may_be_absent=True)
        return PublicKey(kid or parsed.kid, alg or parsed.alg, parsed.key)
    try:
        key = load_pem_public_key(source.encode() if isinstance(source, str) else source)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("not the PEM text of a public key") from None
    if not isinstance(key, (EllipticCurvePublicKey, RSAPublicKey, Ed25519PublicKey)):
        raise ValueError("neither a P-256, nor an RSA, nor an Ed25519 public key")
    algorithms_of(key)  # raises ValueError for another curve or size
    return PublicKey(kid or thumbprint_of(key), alg, key)


def _private_key_in_pem(pem: bytes, password: bytes | None) -> object:
    try:
        return load_pem_private_key(pem, password)
    except TypeError:
        raise ValueError("the key is encrypted and needs its password, or is not encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("not the PEM text of a private key, or the wrong password") from None


def _private_key_of(jwk: Mapping[str, object]) -> PrivateKey:
    """The private key of a JWK whose private and public members belong together."""
    if "d" not in jwk:
        raise ValueError("not a private key")
    public = parse_jwk(
        {name: value for name, value in jwk.items() if name not in {*PRIVATE_MEMBERS, "key_ops", "alg", "kid"}},
        kid_may_be_absent=True,
    ).key
    match public:
        case RSAPublicKey():
            if "oth" in jwk:
                raise ValueError("an RSA key of more than two primes")
            d, p, q, dp, dq, qi = (int.from_bytes(_octets(jwk, name)) for name in _CRT_MEMBERS)
            # private_key() raises ValueError when the numbers do not belong together.
            return RSAPrivateNumbers(p, q, d, dp, dq, qi, public.public_numbers()).private_key()
        case EllipticCurvePublicKey():
            number = int.from_bytes(_octets(jwk, "d"))
            elliptic = derive_private_key(number, SECP256R1())  # raises ValueError for a number out of range
            if elliptic.public_key() != public:
                raise ValueError("the private member is of another key")
            return elliptic
        case Ed25519PublicKey():
            edwards = Ed25519PrivateKey.from_private_bytes(_octets(jwk, "d"))
            if edwards.public_key() != public:
                raise ValueError("the private member is of another key")
            return edwards


def _octets(jwk: Mapping[str, object], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise ValueError(f"the private key has no {name}")
    return base64url.decode(value)


def _text(jwk: Mapping[str, object], name: str) -> str | None:
    value = jwk.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return value
