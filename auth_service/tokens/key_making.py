"""Keys and secrets as they are made, sealed, and opened again."""

import secrets

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from auth_service.sealing import MasterKey
from auth_service.store import keys
from auth_service.store.keys import StoredKey
from tallystick.clock import Clock
from tallystick.jwk import SigningKey, public_jwk, thumbprint_of
from tallystick.store import Store

SECRETS = ("refresh_key", "form_key")
"""What HMACs are made with: refresh tokens, and the hidden fields of forms."""


async def bootstrap(store: Store, master_key: MasterKey, clock: Clock) -> None:
    """Make the first signing key and the secrets when there are none.

    Raises WrongMasterKey when `master_key` does not open what is there; nothing has been added then.
    """
    await _check(store, master_key)
    now = clock()
    await store.write(keys.add_first, make_key(master_key, published_at=now, signs_from=now))
    for name in SECRETS:
        await store.write(keys.add_first_secret, name, master_key.seal(secrets.token_bytes(32), name=f"{name} 1"))
    await _check(store, master_key)  # of two first starts with different master keys, the later one is refused here


async def load_secret(store: Store, master_key: MasterKey, name: str) -> dict[int, bytes]:
    """All versions of a secret, by version. Raises WrongMasterKey."""
    sealed = await store.read(keys.load_secrets, name)
    return {version: master_key.open(secret, name=f"{name} {version}") for version, secret in sealed.items()}


def make_key(master_key: MasterKey, *, published_at: int, signs_from: int) -> StoredKey:
    """A new key for ES256."""
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


async def _check(store: Store, master_key: MasterKey) -> None:
    for row in await store.read(keys.load_all):
        open_key(row, master_key)
    for name in SECRETS:
        await load_secret(store, master_key, name)
