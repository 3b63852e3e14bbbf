"""The first signing keys and secrets of an empty store."""

import secrets

from auth_service.keys.generation import MAX_KEEP_PUBLISHED, decrypt_key
from auth_service.keys.key_changes import KeyChanges
from auth_service.keys.lifecycle import key_states
from auth_service.keys.master_key import MasterKey
from auth_service.keys.master_key_rotation import ReloadingMasterKey, with_active_master_key
from auth_service.keys.service_secrets import SECRET_BYTES, SECRETS
from auth_service.store.keys import signing_keys, stored_secrets
from auth_service.store.keys.signing_keys import DESTROYED
from auth_service.store.keys.stored_secrets import Secrets
from auth_service.vocabulary.algorithms import SIGNING_ALGS
from tallystick.clock import Clock
from tallystick_service.store import Store


async def bootstrap(
    store: Store, master_key: MasterKey, clock: Clock, *, keep_published: int = MAX_KEEP_PUBLISHED
) -> None:
    """Add the signing keys and secrets that are missing. `keep_published` is as for KeyRing, in seconds.

    Raises WrongMasterKey, and adds nothing, when `master_key` does not decrypt what is stored.
    """
    await _check_master_key(store, master_key)
    for name in SECRETS:
        await _add_first_secret(store, master_key, name)
    changes = KeyChanges(store, ReloadingMasterKey(master_key, clock), clock, keep_published=keep_published)
    states = key_states(await store.read(signing_keys.load_all), {}, now=clock())
    await changes.extend_publication(states)
    for alg in SIGNING_ALGS:
        if states.of_alg(alg).signing is None:
            await changes.add_first(alg)
    await _check_master_key(store, master_key)


async def load_secret(store: Store, master_key: MasterKey, name: str) -> dict[int, bytes]:
    """All versions of a secret, decrypted, by version. Raises WrongMasterKey."""
    stored = await store.read(stored_secrets.load_secrets)
    return {
        version: master_key.decrypt(encrypted, name=f"{name} {version}")
        for (stored_name, version), encrypted in stored.items()
        if stored_name == name
    }


async def _add_first_secret(store: Store, master_key: MasterKey, name: str) -> None:
    async def add(active_key: MasterKey, expected_secrets: Secrets) -> None:
        if not any(stored_name == name for stored_name, _ in expected_secrets):
            encrypted = active_key.encrypt(secrets.token_bytes(SECRET_BYTES), name=f"{name} 1")
            await store.write(stored_secrets.add_first_version, name, encrypted, expected_secrets=expected_secrets)

    # Of two first starts with different master keys, the later one raises WrongMasterKey here.
    await with_active_master_key(store, master_key, add)


async def _check_master_key(store: Store, master_key: MasterKey) -> None:
    for row in await store.read(signing_keys.load_all):
        if row.private_key != DESTROYED:
            decrypt_key(row, master_key)
    for name in SECRETS:
        await load_secret(store, master_key, name)
