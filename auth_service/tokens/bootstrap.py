"""What must be in the store before a token can be issued: a key to sign with, and secrets to make MACs with."""

import asyncio
import secrets

from auth_service.sealing import MasterKey
from auth_service.store import keys
from auth_service.tokens.key_making import ALGORITHMS, make_key, open_key
from auth_service.tokens.key_states import key_states
from tallystick.clock import Clock
from tallystick.store import Store

SECRETS = ("refresh_key", "form_key")
"""What HMACs are made with: refresh tokens, and the hidden fields of forms."""


async def bootstrap(store: Store, master_key: MasterKey, clock: Clock) -> None:
    """Make the first signing keys and the secrets when there are none.

    Raises WrongMasterKey when `master_key` does not open what is there; nothing has been added then.
    """
    await _check(store, master_key)
    now = clock()
    signing = key_states(await store.read(keys.load_all), {}, now=now, keep_published=0).signing
    for alg in ALGORITHMS:
        if alg not in signing:
            key = await asyncio.to_thread(make_key, master_key, alg, published_at=now, signs_from=now)
            await store.write(keys.add_first, key)
    for name in SECRETS:
        await store.write(keys.add_first_secret, name, master_key.seal(secrets.token_bytes(32), name=f"{name} 1"))
    await _check(store, master_key)  # of two first starts with different master keys, the later one is refused here


async def load_secret(store: Store, master_key: MasterKey, name: str) -> dict[int, bytes]:
    """All versions of a secret, by version. Raises WrongMasterKey."""
    sealed = await store.read(keys.load_secrets, name)
    return {version: master_key.open(secret, name=f"{name} {version}") for version, secret in sealed.items()}


async def _check(store: Store, master_key: MasterKey) -> None:
    for row in await store.read(keys.load_all):
        open_key(row, master_key)
    for name in SECRETS:
        await load_secret(store, master_key, name)
