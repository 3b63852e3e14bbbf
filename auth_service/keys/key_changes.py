"""Changes of the signing keys in the store. Each is one unit of work, so that concurrent processes make it once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from auth_service.keys.generation import make_key
from auth_service.keys.lifecycle import KeyStates
from auth_service.keys.master_key import MasterKey
from auth_service.keys.master_key_rotation import ReloadingMasterKey, with_active_master_key
from auth_service.store.keys import signing_keys
from auth_service.store.keys.signing_keys import StoredKey
from auth_service.store.keys.stored_secrets import Secrets
from tallystick.clock import Clock
from tallystick_service.store import Store

T = TypeVar("T")


class KeyChanges:
    """New keys are encrypted with the active master key. Each method that adds one raises WrongMasterKey."""

    def __init__(self, store: Store, master_key: ReloadingMasterKey, clock: Clock, *, keep_published: int) -> None:
        """A key stays published for `keep_published` seconds after its last signature."""
        self._store = store
        self._master_key = master_key
        self._clock = clock
        self._keep_published = keep_published

    async def add_first(self, alg: str) -> None:
        """Add a key that signs immediately, unless there is one that can sign now or later."""

        async def add(active_key: MasterKey, expected_secrets: Secrets) -> None:
            key = await self._make(active_key, alg, wait=0)
            await self._store.write(signing_keys.add_first, key, expected_secrets=expected_secrets)

        await self._with_active_key(add)

    async def rotate(self, alg: str, *, ahead: int, after: str | None) -> str | None:
        """Publish a key that will sign in `ahead` seconds, and return its kid; None when one is published already.

        Also None when `after` is given and is not the newest kid.
        """

        async def add(active_key: MasterKey, expected_secrets: Secrets) -> str | None:
            key = await self._make(active_key, alg, wait=ahead)
            was_added = await self._store.write(signing_keys.add, key, expected_secrets=expected_secrets, after=after)
            return key.kid if was_added else None

        return await self._with_active_key(add)

    async def withdraw(self, kid: str) -> bool:
        """Never again sign with, publish or trust a key. If it is the one that signs, a new one replaces it now.

        False when there is no such key, or it is withdrawn already.
        """
        alg = next((row.alg for row in await self._store.read(signing_keys.load_all) if row.kid == kid), None)
        if alg is None:
            return False

        async def withdraw(active_key: MasterKey, expected_secrets: Secrets) -> bool:
            replacement = await self._make(active_key, alg, wait=0)
            now = replacement.published_at
            return await self._store.write(
                signing_keys.withdraw, kid, replacement, now=now, expected_secrets=expected_secrets
            )

        return await self._with_active_key(withdraw)

    async def extend_publication(self, states: KeyStates) -> bool:
        """Keep the keys in service published for `keep_published` seconds. True when that changed a key."""
        kids = [row.kid for row in states.in_service if row.keep_published < self._keep_published]
        if kids:
            await self._store.write(signing_keys.extend_publication, kids, self._keep_published)
        return bool(kids)

    async def _make(self, active_key: MasterKey, alg: str, *, wait: int) -> StoredKey:
        now = self._clock()
        return await asyncio.to_thread(
            make_key, active_key, alg, published_at=now, signs_from=now + wait, keep_published=self._keep_published
        )

    async def _with_active_key(self, change: Callable[[MasterKey, Secrets], Awaitable[T]]) -> T:
        return await self._master_key.use(lambda master_key: with_active_master_key(self._store, master_key, change))
