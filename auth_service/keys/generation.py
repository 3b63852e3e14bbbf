"""How a signing key is made and encrypted, and decrypted again."""

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from auth_service.keys.master_key import MasterKey
from auth_service.settings.settings import MAX_TOKEN_LIFETIME
from auth_service.store.keys.signing_keys import StoredKey
from tallystick.clock import LEEWAY
from tallystick.jwk import SigningKey, public_jwk, thumbprint_of

_RSA_BITS = 2048

MAX_KEEP_PUBLISHED = MAX_TOKEN_LIFETIME + LEEWAY
"""Seconds for which a key stays published after its last signature under the longest lifetimes that can be set."""


def make_key(
    master_key: MasterKey, alg: str, *, published_at: int, signs_from: int, keep_published: int = MAX_KEEP_PUBLISHED
) -> StoredKey:
    """A new key for one of SIGNING_ALGS. RS256 takes a tenth of a second or more, too long for an event loop.

    Its `kid` does not begin with a dash, which the command `keys withdraw KID` would take for an option.
    """
    kid = "-"
    while kid.startswith("-"):
        private_key = generate_ec_key(SECP256R1()) if alg == "ES256" else generate_rsa_key(65_537, _RSA_BITS)
        public_key = private_key.public_key()
        kid = thumbprint_of(public_key)
    der = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return StoredKey(
        kid=kid,
        alg=alg,
        public_jwk=public_jwk(public_key, kid=kid, alg=alg),
        private_key=master_key.encrypt(der, name=f"signing key {kid}"),
        published_at=published_at,
        signs_from=signs_from,
        keep_published=keep_published,
        withdrawn_at=None,
    )


def decrypt_key(row: StoredKey, master_key: MasterKey) -> SigningKey:
    """Raises WrongMasterKey."""
    der = master_key.decrypt(row.private_key, name=f"signing key {row.kid}")
    # The encryption is authenticated, so the key is as we made it. Validating an RSA key takes a thousand times longer.
    private_key = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private_key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise TypeError(f"the signing key {row.kid} is neither an EC nor an RSA key")
    return SigningKey(row.kid, row.alg, private_key)
