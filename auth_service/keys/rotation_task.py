"""A background task of each process: rotate signing keys when they are due, and load secrets that were replaced."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import WrongMasterKey
from auth_service.keys.service_secrets import ServiceSecrets
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.tasks.background_task import background_task

_log = logging.getLogger(__name__)

_INTERVAL = (1.0, 2.0)
"""Seconds, chosen at random between these, so that processes that start together do not read together. A process must
see a key some seconds before it signs, also when it serves no requests."""
_RETRY_INTERVAL = 1.0
"""Seconds until the next attempt after a failure."""


class KeyRotationTask:
    """Runs within `running()`."""

    def __init__(self, key_ring: KeyRing, secrets: ServiceSecrets) -> None:
        self._key_ring = key_ring
        self._secrets = secrets
        self._last_error: str | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with background_task(self._run()):
            yield

    async def run_once(self) -> None:
        """Raises TemporarilyUnavailable, or WrongMasterKey when a new signing key cannot be encrypted."""
        await self._secrets.maintain()
        await self._key_ring.maintain()

    async def _run(self) -> None:
        while True:
            try:
                await self.run_once()
                self._last_error = None
                await asyncio.sleep(random.uniform(*_INTERVAL))  # noqa: S311 - spreads the processes over time
            except TemporarilyUnavailable:  # already logged by the store
                await asyncio.sleep(_RETRY_INTERVAL)
            except WrongMasterKey as wrong:
                if str(wrong) != self._last_error:  # logged once, not at each attempt
                    self._last_error = str(wrong)
                    _log.error("cannot encrypt a new signing key: %s", wrong)
                await asyncio.sleep(_RETRY_INTERVAL)
            except Exception:
                _log.exception("could not rotate the signing keys")
                await asyncio.sleep(_RETRY_INTERVAL)
