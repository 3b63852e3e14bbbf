"""A background task of each process: signing keys rotate when they are due, and replaced secrets are seen."""

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

_LOOK_EVERY = (1.0, 2.0)
"""Seconds, at random between these, so that processes that were started together do not look together. A process has
to see a key some seconds before it signs, however little it has to do."""
_WHEN_AWAY = 1.0
"""Seconds between two looks at a store that is away, or after a mistake."""


class KeyCare:
    """Let it go on within `running()`."""

    def __init__(self, key_ring: KeyRing, secrets: ServiceSecrets) -> None:
        self._key_ring = key_ring
        self._secrets = secrets
        self._says: str | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with background_task(self._go_on()):
            yield

    async def _go_on(self) -> None:
        while True:
            try:
                await self._secrets.take_care()
                await self._key_ring.take_care()
                self._says = None
                await asyncio.sleep(random.uniform(*_LOOK_EVERY))  # noqa: S311 - parts those who would collide
            except TemporarilyUnavailable:  # of that the store has told
                await asyncio.sleep(_WHEN_AWAY)
            except WrongMasterKey as wrong:
                if str(wrong) != self._says:  # said once, not every few seconds of a long night
                    self._says = str(wrong)
                    _log.error("cannot seal a new signing key: %s", wrong)
                await asyncio.sleep(_WHEN_AWAY)
            except Exception:
                _log.exception("could not look after the signing keys")
                await asyncio.sleep(_WHEN_AWAY)
