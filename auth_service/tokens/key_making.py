"""Signing keys as they are made, sealed, and opened again."""

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from auth_service.sealing import MasterKey
from auth_service.store.keys import StoredKey
from tallystick.jwk import SigningKey, public_jwk, thumbprint_of


def make_key(master_key: MasterKey, *, published_at: int, signs_from: int) -> StoredKey:
    """A new key for ES256. Its `kid` never begins with a dash, which `keys withdraw KID` would take for an option."""
    kid = "-"
    while kid.startswith("-"):
        private_key = generate_private_key(SECP256R1())
        public_key = private_key.public_key()
        kid = thumbprint_of(public_key)
    der = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return StoredKey(
        kid=kid,
        alg="ES256",
        public_jwk=public_jwk(public_key, kid=kid, alg="ES256"),
        private_key=master_key.seal(der, name=f"signing key {kid}"),
        published_at=published_at,
        signs_from=signs_from,
        withdrawn_at=None,
    )


def open_key(row: StoredKey, master_key: MasterKey) -> SigningKey:
    """Raises WrongMasterKey."""
    private_key = load_der_private_key(master_key.open(row.private_key, name=f"signing key {row.kid}"), password=None)
    if not isinstance(private_key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise TypeError(f"the signing key {row.kid} is of no kind of ours")
    return SigningKey(row.kid, row.alg, private_key)
