"""The secrets for MACs as one process knows them, and their replacement in a running service."""

import asyncio
import logging
import secrets as random
import time
from collections.abc import Mapping

from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.keys.master_key_rotation import ReloadingMasterKey, with_active_master_key
from auth_service.store.keys import stored_secrets
from auth_service.store.keys.stored_secrets import Secrets
from auth_service.vocabulary.timing import FORM_KEY_KEPT
from tallystick.clock import Clock
from tallystick_service.store import Store

_log = logging.getLogger(__name__)

REFRESH_KEY = "refresh_key"
"""For the MAC of refresh tokens."""
FORM_KEY = "form_key"
"""For the MAC of the signed state in forms."""
SECRETS = (REFRESH_KEY, FORM_KEY)
SECRET_BYTES = 32
_RELOAD_INTERVAL = 1.0
"""Seconds between two reads that a token with an unknown version can cause."""


class ServiceSecrets:
    """Every version of each secret. A process reads a new version at its next `load`, or when a token names it."""

    def __init__(self, store: Store, master_key: MasterKey, clock: Clock, *, refresh_key_kept: int) -> None:
        """A replaced refresh key is kept for `refresh_key_kept` seconds, the longest lifetime of its tokens."""
        self._store = store
        self._master_key = ReloadingMasterKey(master_key, clock)
        self._clock = clock
        self._kept = {REFRESH_KEY: refresh_key_kept, FORM_KEY: FORM_KEY_KEPT}
        self._decrypted: dict[tuple[str, int], bytes] = {}
        self._reloading = asyncio.Lock()
        self._reloaded_at = float("-inf")
        self._is_failing = False

    def versions(self, name: str) -> Mapping[int, bytes]:
        """All versions of a secret that are not destroyed, by number. The newest has the highest number."""
        return {version: secret for (its_name, version), secret in self._decrypted.items() if its_name == name}

    def newest_first(self, name: str) -> list[bytes]:
        """The same, in order. New MACs are computed with the first."""
        return [secret for _, secret in sorted(self.versions(name).items(), reverse=True)]

    async def load(self) -> None:
        """Read the secrets of the store. Raises StoreUnavailable, and WrongMasterKey when one cannot be decrypted."""
        stored = await self._store.read(stored_secrets.load_secrets)
        decrypted = {key: self._decrypted[key] for key in stored if key in self._decrypted}
        for (name, version), encrypted in stored.items():
            if (name, version) not in decrypted:
                decrypted[name, version] = await self._decrypt(encrypted, f"{name} {version}")
        self._decrypted = decrypted

    async def load_unknown_version(self) -> None:
        """Read the secrets because a token names an unknown version, at most once a second. Raises StoreUnavailable."""
        async with self._reloading:
            if time.monotonic() - self._reloaded_at >= _RELOAD_INTERVAL:
                self._reloaded_at = time.monotonic()
                await self.load_readable()

    async def maintain(self) -> None:
        """Load replaced secrets and destroy expired versions. To be called every second or two.

        Raises StoreUnavailable.
        """
        await self.load_readable()
        if all(len(self.versions(name)) == 1 for name in SECRETS):
            return
        expired = await self._store.read(stored_secrets.expired_versions, self._kept, now=self._clock())
        if expired:
            await self._store.write(stored_secrets.destroy_versions, expired)

    async def load_readable(self) -> None:
        """Do the same as `load`, but keep the old secrets when one cannot be decrypted. Raises StoreUnavailable."""
        try:
            await self.load()
            self._is_failing = False
        except WrongMasterKey as wrong:
            if not self._is_failing:
                self._is_failing = True
                _log.error("%s", wrong)

    async def _decrypt(self, encrypted: bytes, name: str) -> bytes:
        async def decrypt(master_key: MasterKey) -> bytes:
            return master_key.decrypt(encrypted, name=name)

        return await self._master_key.use(decrypt)


async def rotate_secrets(store: Store, master_key: MasterKey, clock: Clock, *, is_stolen: bool) -> int | None:
    """Add a new version of all SECRETS. Every running process uses it within two seconds.

    Tokens and forms of the old versions are valid until they expire. With `is_stolen`, forms are not, and token
    families are revoked whose refresh tokens could be computed from the old refresh key alone; returns how many of
    them, else None. Raises WrongMasterKey.
    """

    async def add_versions(active_key: MasterKey, expected_secrets: Secrets) -> int | None:
        new_versions = {}
        for name in SECRETS:
            newest = max((version for its_name, version in expected_secrets if its_name == name), default=0)
            secret_name = f"{name} {newest + 1}"
            new_versions[name, newest + 1] = active_key.encrypt(random.token_bytes(SECRET_BYTES), name=secret_name)
        return await store.write(
            stored_secrets.add_versions,
            new_versions,
            expected_secrets=expected_secrets,
            destroy_old=(FORM_KEY,) if is_stolen else (),
            now=clock(),
        )

    return await with_active_master_key(store, master_key, add_versions)
