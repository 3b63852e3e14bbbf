"""The keys and status lists of one issuer, and the background task that keeps them fresh."""

import asyncio
from pathlib import Path

import httpx

from tallystick.clock import Clock, system_clock
from tallystick.remote.document import is_running
from tallystick.remote.key_set import RemoteKeySet
from tallystick.remote.status_file import StatusFile
from tallystick.remote.status_lists import StatusLists
from tallystick.request_id import own_request_id
from tallystick.verifier import KeySet, Statuses

FOLLOW_INTERVAL = 2.0
"""Seconds between two rounds of fetches. Together with the time of a fetch, a revocation arrives well within five."""
FIRST_KEYS_INTERVAL = 1.0
"""Seconds between two attempts while no keys have ever been fetched."""


class RemoteIssuer:
    """One issuer: its keys and its status lists, as far as they are known.

    After `start`, or while `run` runs, both are fetched in the background. A request waits for a fetch only before the
    first keys, for an unknown `kid`, and for a status list or index that was never fetched. Each document is fetched
    in its own task, and its last good version stays when a fetch fails.

    All methods are called on the event loop that fetches. `keys` and `statuses` may be read from any thread.
    """

    def __init__(
        self,
        identifier: str,
        *,
        jwks_uri: str | None = None,
        jwks_file: Path | None = None,
        status_file: StatusFile | None = None,
        follow_every: float = FOLLOW_INTERVAL,
        clock: Clock = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`identifier` is compared byte for byte. `jwks_uri`, `jwks_file`: see RemoteKeySet. `follow_every` is seconds
        between two rounds of fetches. `transport` replaces the network, for tests.

        Raises ValueError for a URL that is neither https nor on loopback, and for a `follow_every` that is not above 0.
        """
        if not follow_every > 0:
            raise ValueError("follow_every is a number of seconds, above 0")
        self.identifier = identifier
        self.key_set = RemoteKeySet(
            identifier,
            jwks_uri=jwks_uri,
            jwks_file=jwks_file,
            clock=clock,
            transport=transport,
        )
        self.status_lists = StatusLists(
            identifier, self.key_set, status_file=status_file, clock=clock, transport=transport
        )
        self.key_set.changed = self.status_lists.use_changed_keys
        self.was_started = False
        self._follow_every = follow_every
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def keys(self) -> KeySet | None:
        """The keys at this moment, or None while none have ever been fetched."""
        return self.key_set.keys

    @property
    def statuses(self) -> Statuses:
        """The current knowledge about the status lists."""
        return self.status_lists.statuses

    def start(self) -> None:
        """Fetch in a background task of the running event loop, unless that task runs. Cheap: call it per request."""
        loop = asyncio.get_running_loop()
        if self._task is None or self._loop is not loop or self._task.done():
            self.was_started = True
            self._loop = loop
            self._task = loop.create_task(self.run())

    async def run(self) -> None:
        """Fetch keys and lists every `follow_every` seconds, until cancelled."""
        self.was_started = True
        while True:
            with own_request_id():  # instead of the id of the request that called `start`
                self.key_set.start_fetch()
                self.status_lists.start_round()
            await asyncio.sleep(
                self._follow_every if self.keys is not None else min(FIRST_KEYS_INTERVAL, self._follow_every)
            )

    async def aclose(self) -> None:
        """Stop the background task and all fetches. `start` may be called again."""
        if self._task is not None and is_running(self._task):
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.key_set.aclose()
        await self.status_lists.aclose()
