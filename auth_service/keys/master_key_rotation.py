"""The choice of the active master key among several, and the change to another one in a running service.

The store decides: the active key is the one that everything in the store is encrypted with. New values are encrypted
with it, in whatever order a process knows the keys, until `reencrypt` replaces all values in one unit of work.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.store.keys import reencryption, signing_keys, stored_secrets
from auth_service.store.keys.reencryption import Replacement
from auth_service.store.keys.signing_keys import DESTROYED
from auth_service.store.keys.stored_secrets import Secrets, SecretsChanged
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store

_log = logging.getLogger(__name__)

_MAX_ATTEMPTS = 10

T = TypeVar("T")


class ReloadingMasterKey:
    """The master key of a running process, read from its file again when a value cannot be decrypted."""

    def __init__(self, master_key: MasterKey, clock: Clock) -> None:
        self._master_key = master_key
        self._clock = clock
        self._reloading = asyncio.Lock()
        self._reloaded_at: int | None = None

    async def use(self, function: Callable[[MasterKey], Awaitable[T]]) -> T:
        """Call `function`; if it raises WrongMasterKey and the file has a new key, call it once more.

        Raises WrongMasterKey.
        """
        changes = self._master_key.changes
        try:
            return await function(self._master_key)
        except WrongMasterKey:
            async with self._reloading:
                if self._master_key.changes == changes:  # no other task has read a new key meanwhile
                    await self._reload()
            if self._master_key.changes == changes:
                raise
        return await function(self._master_key)

    async def _reload(self) -> None:
        """At most once a second. Raises WrongMasterKey when the file has no valid key."""
        now = self._clock()
        if self._reloaded_at == now:
            return
        self._reloaded_at = now
        try:
            if await asyncio.to_thread(self._master_key.reload):
                _log.info("the master key's file holds a new key")
        except ValueError as reason:
            _log.warning("%s", reason)
            raise WrongMasterKey(str(reason)) from None


async def active_master_key(store: Store, master_key: MasterKey) -> tuple[MasterKey, Secrets]:
    """The active one of the keys, and the stored secrets that it decrypts. In an empty store it is the first key.

    Raises WrongMasterKey when none of the keys decrypts the secrets.
    """
    secrets = await store.read(stored_secrets.load_secrets)
    for (name, version), encrypted in secrets.items():
        return master_key.key_of(encrypted, name=f"{name} {version}"), secrets
    return master_key, secrets


async def with_active_master_key(
    store: Store, master_key: MasterKey, add: Callable[[MasterKey, Secrets], Awaitable[T]]
) -> T:
    """Call `add` with the active key and the expected secrets, again if the active key has changed meanwhile.

    Raises WrongMasterKey.
    """
    for _ in range(_MAX_ATTEMPTS):
        try:
            return await add(*await active_master_key(store, master_key))
        except SecretsChanged:
            continue
    raise TemporarilyUnavailable("the master key is being changed")


@dataclass(frozen=True)
class Reencrypted:
    """`count` values were encrypted again, which is either none or all `total` of them."""

    count: int
    total: int


async def reencrypt(store: Store, master_key: MasterKey, clock: Clock) -> Reencrypted:
    """Encrypt every signing key and secret with the first master key, in one unit of work, unless all are.

    If another process adds a value meanwhile, this starts again and includes it. Raises WrongMasterKey.
    """
    for _ in range(_MAX_ATTEMPTS):
        rows = [row for row in await store.read(signing_keys.load_all) if row.private_key != DESTROYED]
        secrets = await store.read(stored_secrets.load_secrets)
        by_name = {f"signing key {row.kid}": row.private_key for row in rows}
        by_name |= {f"{name} {version}": encrypted for (name, version), encrypted in secrets.items()}
        if all(master_key.is_encrypted_with_first_key(value, name=name) for name, value in by_name.items()):
            return Reencrypted(0, len(by_name))
        replacements = {
            name: Replacement(value, master_key.encrypt(master_key.decrypt(value, name=name), name=name))
            for name, value in by_name.items()
        }
        was_done = await store.write(
            reencryption.reencrypt,
            private_keys={row.kid: replacements[f"signing key {row.kid}"] for row in rows},
            all_secrets={(name, version): replacements[f"{name} {version}"] for name, version in secrets},
            now=clock(),
        )
        if was_done:
            return Reencrypted(len(by_name), len(by_name))
    raise TemporarilyUnavailable("the keys change too often to be encrypted again")
