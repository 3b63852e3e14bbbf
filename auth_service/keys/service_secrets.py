"""The secrets that HMACs are made with, as one process knows them, and how they are replaced while it runs."""

import asyncio
import logging
import secrets as random
import time
from collections.abc import Mapping

from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.keys.master_key_rotation import MasterKeyOnFile, with_key_in_use
from auth_service.store.keys import keys, secret_rotation
from auth_service.store.keys.keys import Secrets
from tallystick.clock import Clock
from tallystick_service.store import Store

_log = logging.getLogger(__name__)

REFRESH_KEY = "refresh_key"
FORM_KEY = "form_key"
SECRETS = (REFRESH_KEY, FORM_KEY)
"""Of the refresh tokens, and of the hidden fields of forms."""
SECRET_BYTES = 32
FORM_KEY_KEPT = 3600 + 60
"""Seconds for which a form key that was replaced is kept: a form is good for an hour after it was made."""
_LOOK_AGAIN = 1.0
"""Seconds between two readings that a token with an unknown version can cause."""


class ServiceSecrets:
    """Every version of each secret. A process sees a new version at its next `load`, or when it meets a token of it."""

    def __init__(self, store: Store, master_key: MasterKey, clock: Clock, *, refresh_key_kept: int) -> None:
        """A refresh key that was replaced is kept for `refresh_key_kept` seconds, as long as its tokens can live."""
        self._store = store
        self._master_key = MasterKeyOnFile(master_key, clock)
        self._clock = clock
        self._kept = {REFRESH_KEY: refresh_key_kept, FORM_KEY: FORM_KEY_KEPT}
        self._opened: dict[tuple[str, int], bytes] = {}
        self._loading = asyncio.Lock()
        self._looked_at = float("-inf")
        self._is_locked_out = False

    def versions(self, name: str) -> Mapping[int, bytes]:
        """All versions of a secret that are not destroyed yet, by number; the newest has the highest."""
        return {version: secret for (its, version), secret in self._opened.items() if its == name}

    def newest_first(self, name: str) -> list[bytes]:
        """The same; what is made now is made with the first."""
        return [secret for _, secret in sorted(self.versions(name).items(), reverse=True)]

    async def load(self) -> None:
        """Read the secrets of the store. Raises StoreUnavailable, and WrongMasterKey when one cannot be opened."""
        sealed = await self._store.read(keys.load_every_secret)
        opened = {key: self._opened[key] for key in sealed if key in self._opened}
        for (name, version), secret in sealed.items():
            if (name, version) not in opened:
                opened[name, version] = await self._open(secret, f"{name} {version}")
        self._opened = opened

    async def look_again(self) -> None:
        """Load them because of a version that is unknown here, at most once a second. Raises StoreUnavailable."""
        async with self._loading:
            if time.monotonic() - self._looked_at >= _LOOK_AGAIN:
                self._looked_at = time.monotonic()
                await self.load_readable()

    async def take_care(self) -> None:
        """To be called every second or two: see what another process replaced, and destroy what is needed no longer.

        Raises StoreUnavailable.
        """
        await self.load_readable()
        if all(len(self.versions(name)) == 1 for name in SECRETS):
            return
        needless = await self._store.read(secret_rotation.needless, self._kept, now=self._clock())
        if needless:
            await self._store.write(secret_rotation.destroy, needless)

    async def load_readable(self) -> None:
        """As `load`, but go on with the secrets that are known when one cannot be opened. Raises StoreUnavailable."""
        try:
            await self.load()
            self._is_locked_out = False
        except WrongMasterKey as wrong:
            if not self._is_locked_out:
                self._is_locked_out = True
                _log.error("%s", wrong)

    async def _open(self, sealed: bytes, name: str) -> bytes:
        async def open_it(master_key: MasterKey) -> bytes:
            return master_key.open(sealed, name=name)

        return await self._master_key.use(open_it)


async def rotate_secrets(store: Store, master_key: MasterKey, clock: Clock, *, is_stolen: bool) -> int | None:
    """Put new versions of all SECRETS into use. Every running process sees them within two seconds.

    What was made with the old ones is accepted until it expires. With `is_stolen` forms are not, and token families
    end whose refresh tokens the old refresh key alone was enough to compute; returns how many, else None.
    Raises WrongMasterKey.
    """

    async def replace(in_use: MasterKey, beside: Secrets) -> int | None:
        anew = {}
        for name in SECRETS:
            version = max((version for its, version in beside if its == name), default=0) + 1
            anew[name, version] = in_use.seal(random.token_bytes(SECRET_BYTES), name=f"{name} {version}")
        destroyed = (FORM_KEY,) if is_stolen else ()
        return await store.write(secret_rotation.replace, anew, beside=beside, destroyed_at_once=destroyed, now=clock())

    return await with_key_in_use(store, master_key, replace)
