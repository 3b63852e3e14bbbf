"""What must be in the store before a token can be issued: a key to sign with, and secrets to make MACs with."""

import secrets

from auth_service.keys.generation import LONGEST, open_key
from auth_service.keys.key_changes import KeyChanges
from auth_service.keys.lifecycle import key_states
from auth_service.keys.master_key import MasterKey
from auth_service.keys.master_key_rotation import MasterKeyOnFile, with_key_in_use
from auth_service.keys.service_secrets import SECRET_BYTES, SECRETS
from auth_service.store.keys import keys
from auth_service.store.keys.keys import DESTROYED, Secrets
from auth_service.vocabulary.algorithms import SIGNING_ALGS
from tallystick.clock import Clock
from tallystick_service.store import Store


async def bootstrap(store: Store, master_key: MasterKey, clock: Clock, *, keep_published: int = LONGEST) -> None:
    """Make the first signing keys and the secrets when there are none. `keep_published`: as for a KeyRing.

    Raises WrongMasterKey when `master_key` does not open what is there; nothing has been added then.
    """
    await _check(store, master_key)
    for name in SECRETS:
        await _add_first_secret(store, master_key, name)
    changes = KeyChanges(store, MasterKeyOnFile(master_key, clock), clock, keep_published=keep_published)
    states = key_states(await store.read(keys.load_all), {}, now=clock())
    await changes.keep_longer(states)
    for alg in SIGNING_ALGS:
        if alg not in states.signing:
            await changes.add_first(alg)
    await _check(store, master_key)


async def load_secret(store: Store, master_key: MasterKey, name: str) -> dict[int, bytes]:
    """All versions of a secret, by version. Raises WrongMasterKey."""
    sealed = await store.read(keys.load_every_secret)
    return {
        version: master_key.open(secret, name=f"{its} {version}")
        for (its, version), secret in sealed.items()
        if its == name
    }


async def _add_first_secret(store: Store, master_key: MasterKey, name: str) -> None:
    async def add(in_use: MasterKey, beside: Secrets) -> None:
        if not any(its == name for its, _ in beside):
            sealed = in_use.seal(secrets.token_bytes(SECRET_BYTES), name=f"{name} 1")
            await store.write(keys.add_first_secret, name, sealed, beside=beside)

    # Of two first starts with different master keys, the later one is refused here.
    await with_key_in_use(store, master_key, add)


async def _check(store: Store, master_key: MasterKey) -> None:
    for row in await store.read(keys.load_all):
        if row.private_key != DESTROYED:
            open_key(row, master_key)
    for name in SECRETS:
        await load_secret(store, master_key, name)
