"""What changes the signing keys in the store: each is one unit of work, however many processes want it at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from auth_service.keys.generation import make_key
from auth_service.keys.lifecycle import KeyStates
from auth_service.keys.master_key import MasterKey
from auth_service.keys.master_key_rotation import MasterKeyOnFile, with_key_in_use
from auth_service.store.keys import keys
from auth_service.store.keys.keys import Secrets, StoredKey
from tallystick.clock import Clock
from tallystick_service.store import Store

T = TypeVar("T")


class KeyChanges:
    """New keys are sealed with the master key that is in use in the store."""

    def __init__(self, store: Store, master_key: MasterKeyOnFile, clock: Clock, *, keep_published: int) -> None:
        """A key stays published for `keep_published` seconds after its last signature."""
        self._store = store
        self._master_key = master_key
        self._clock = clock
        self._keep_published = keep_published

    async def add_first(self, alg: str) -> None:
        """A key that signs at once, unless there is one that does or will. Raises WrongMasterKey."""

        async def add(in_use: MasterKey, beside: Secrets) -> None:
            key = await self._make(in_use, alg, wait=0)
            await self._store.write(keys.add_first, key, beside=beside)

        await self._seal(add)

    async def rotate(self, alg: str, *, ahead: int, after: str | None) -> str | None:
        """Publish a key that will sign from `ahead` seconds on; its kid, or None when one waits already.

        Also None when `after` is given and no longer the newest. Raises WrongMasterKey.
        """

        async def add(in_use: MasterKey, beside: Secrets) -> str | None:
            key = await self._make(in_use, alg, wait=ahead)
            return key.kid if await self._store.write(keys.add, key, beside=beside, after=after) else None

        return await self._seal(add)

    async def withdraw(self, kid: str) -> bool:
        """Never again sign with, publish or believe a key. If it was the one that signs, a new one does so at once.

        False when there is no such key, or it was withdrawn before. Raises WrongMasterKey.
        """
        alg = next((row.alg for row in await self._store.read(keys.load_all) if row.kid == kid), None)
        if alg is None:
            return False

        async def withdraw(in_use: MasterKey, beside: Secrets) -> bool:
            replacement = await self._make(in_use, alg, wait=0)
            now = replacement.published_at
            return await self._store.write(keys.withdraw, kid, replacement, now=now, beside=beside)

        return await self._seal(withdraw)

    async def keep_longer(self, states: KeyStates) -> bool:
        """Let the keys in service stay published for as long as is wanted now. True when some would not have."""
        short = [row.kid for row in states.in_service if row.keep_published < self._keep_published]
        if short:
            await self._store.write(keys.keep_longer, short, self._keep_published)
        return bool(short)

    async def _make(self, in_use: MasterKey, alg: str, *, wait: int) -> StoredKey:
        now = self._clock()
        return await asyncio.to_thread(
            make_key, in_use, alg, published_at=now, signs_from=now + wait, keep_published=self._keep_published
        )

    async def _seal(self, add: Callable[[MasterKey, Secrets], Awaitable[T]]) -> T:
        return await self._master_key.use(lambda master_key: with_key_in_use(self._store, master_key, add))
