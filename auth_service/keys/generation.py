"""Signing keys as they are made, sealed, and opened again."""

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
from auth_service.settings.settings import LONGEST_TOKEN
from auth_service.store.keys.keys import StoredKey
from tallystick.clock import LEEWAY
from tallystick.jwk import SigningKey, public_jwk, thumbprint_of

_RSA_BITS = 2048

LONGEST = LONGEST_TOKEN + LEEWAY
"""Seconds for which a key has to stay published after its last signature under any lifetimes that can be set."""


def make_key(
    master_key: MasterKey, alg: str, *, published_at: int, signs_from: int, keep_published: int = LONGEST
) -> StoredKey:
    """A new key for one of SIGNING_ALGS; RS256 takes a tenth of a second or more, so not on an event loop.

    Its `kid` never begins with a dash, which `keys withdraw KID` would take for an option.
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
        private_key=master_key.seal(der, name=f"signing key {kid}"),
        published_at=published_at,
        signs_from=signs_from,
        keep_published=keep_published,
        withdrawn_at=None,
    )


def open_key(row: StoredKey, master_key: MasterKey) -> SigningKey:
    """Raises WrongMasterKey."""
    der = master_key.open(row.private_key, name=f"signing key {row.kid}")
    # Sealed by us, so it is as we made it; to see whether an RSA key is sound takes a thousand times as long.
    private_key = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private_key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise TypeError(f"the signing key {row.kid} is of no kind of ours")
    return SigningKey(row.kid, row.alg, private_key)
