"""Which of several master keys is in use, and how another one comes into use without a stop.

The store decides, not the order in which a process happens to know the keys: what is new is sealed with the key that
everything else there is sealed with, until `reseal` replaces that all at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.store.keys import keys
from auth_service.store.keys.keys import DESTROYED, Resealed, Secrets
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store

_log = logging.getLogger(__name__)

_ATTEMPTS = 10

T = TypeVar("T")


class MasterKeyOnFile:
    """The master key of a process that goes on while another one comes into the file."""

    def __init__(self, master_key: MasterKey, clock: Clock) -> None:
        self._master_key = master_key
        self._clock = clock
        self._reading = asyncio.Lock()
        self._read_at: int | None = None

    async def use(self, do: Callable[[MasterKey], Awaitable[T]]) -> T:
        """Do it; where the master key does not open something, again with what stands in its file by now.

        Raises WrongMasterKey.
        """
        tried = self._master_key.changes
        try:
            return await do(self._master_key)
        except WrongMasterKey:
            async with self._reading:
                if self._master_key.changes == tried:  # nobody else has read a new one meanwhile
                    await self._read_again()
            if self._master_key.changes == tried:
                raise
        return await do(self._master_key)

    async def _read_again(self) -> None:
        """At most once a second. Raises WrongMasterKey for a file without a key."""
        now = self._clock()
        if self._read_at == now:
            return
        self._read_at = now
        try:
            if await asyncio.to_thread(self._master_key.read_again):
                _log.info("the master key's file holds a new key")
        except ValueError as reason:
            _log.warning("%s", reason)
            raise WrongMasterKey(str(reason)) from None


async def in_use(store: Store, master_key: MasterKey) -> tuple[MasterKey, Secrets]:
    """The one of the keys that the store is sealed with, and the secrets that tell; in a new store, the first.

    Raises WrongMasterKey when none of them is.
    """
    secrets = await store.read(keys.load_every_secret)
    for (name, version), sealed in secrets.items():
        return master_key.that_sealed(sealed, name=f"{name} {version}"), secrets
    return master_key, secrets


async def with_key_in_use(store: Store, master_key: MasterKey, add: Callable[[MasterKey, Secrets], Awaitable[T]]) -> T:
    """What `add` returns for the key in use and the secrets beside; again when another came into use meanwhile.

    Raises WrongMasterKey.
    """
    for _ in range(_ATTEMPTS):
        try:
            return await add(*await in_use(store, master_key))
        except Resealed:
            continue
    raise TemporarilyUnavailable("the master key is being changed")


@dataclass(frozen=True)
class Sealed:
    """`anew`: how many keys and secrets were encrypted anew, all or none of the `in_all` that there are."""

    anew: int
    in_all: int


async def reseal(store: Store, master_key: MasterKey, clock: Clock) -> Sealed:
    """Encrypt every signing key and every secret with the first master key, in one unit of work, unless all are.

    What others add meanwhile is seen, and taken along. Raises WrongMasterKey.
    """
    for _ in range(_ATTEMPTS):
        rows = [row for row in await store.read(keys.load_all) if row.private_key != DESTROYED]
        secrets = await store.read(keys.load_every_secret)
        by_name = {f"signing key {row.kid}": row.private_key for row in rows}
        by_name |= {f"{name} {version}": sealed for (name, version), sealed in secrets.items()}
        if all(master_key.opens_with_the_first(sealed, name=name) for name, sealed in by_name.items()):
            return Sealed(0, len(by_name))
        anew = {
            name: (sealed, master_key.seal(master_key.open(sealed, name=name), name=name))
            for name, sealed in by_name.items()
        }
        was_done = await store.write(
            keys.reseal,
            signing={row.kid: anew[f"signing key {row.kid}"] for row in rows},
            secret={(name, version): anew[f"{name} {version}"] for name, version in secrets},
            now=clock(),
        )
        if was_done:
            return Sealed(len(anew), len(anew))
    raise TemporarilyUnavailable("the keys change too often to be sealed anew")
