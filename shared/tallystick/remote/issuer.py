"""What an API knows of its issuer, and the one background task that keeps it up to date."""

import asyncio
from pathlib import Path

import httpx

from tallystick.clock import Clock, system_clock
from tallystick.remote.key_set import RemoteKeySet
from tallystick.remote.shared_fetch import is_running
from tallystick.remote.status_file import StatusFile
from tallystick.remote.status_lists import StatusLists
from tallystick.request_id import own_request_id

FOLLOW_EVERY = 2.0
"""Seconds between looks at the issuer's keys and lists: with the time a fetch takes, far from the five that a
revocation may take to get here."""
RETRY = 1.0
"""Seconds between attempts while we never had any keys."""


class RemoteIssuer:
    """One issuer, its keys and its status lists.

    From the first use a background task keeps both fresh until `aclose`. No request waits for that task but those that
    carry an unknown kid, come before the first keys, or name a list that was never seen. Whatever is slow or broken
    over there delays nothing else: each document is fetched by itself, and the last good one stays.
    """

    def __init__(
        self,
        identifier: str,
        *,
        jwks_uri: str | None = None,
        jwks_file: Path | None = None,
        status_file: StatusFile | None = None,
        follow_every: float = FOLLOW_EVERY,
        clock: Clock = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`identifier` is compared byte for byte. `jwks_uri`, `jwks_file`, `transport`: see RemoteKeySet.

        Raises ValueError for an address that is neither https nor on loopback, and for a `follow_every` that is not a
        time (seconds).
        """
        if not follow_every > 0:
            raise ValueError("follow_every is a number of seconds, above 0")
        self.identifier = identifier
        self.key_set = RemoteKeySet(
            identifier, jwks_uri=jwks_uri, jwks_file=jwks_file, clock=clock, transport=transport
        )
        self.status_lists = StatusLists(
            identifier, self.key_set, status_file=status_file, clock=clock, transport=transport
        )
        self._follow_every = follow_every
        self._following: asyncio.Task[None] | None = None

    def keep_fresh(self) -> None:
        """Start the background task on the running event loop, unless it runs. Cheap enough for every request."""
        if not is_running(self._following):
            self._following = asyncio.create_task(self._follow())

    async def aclose(self) -> None:
        """End the background task. A later use starts it again."""
        if self._following is not None and is_running(self._following):
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self.key_set.fetching.aclose()
        await self.status_lists.aclose()

    async def _follow(self) -> None:
        while True:
            with own_request_id():  # not that of the request which was the first to need us
                self.key_set.fetching.start()
                self.status_lists.start_round()
            await asyncio.sleep(self._follow_every if self.key_set.was_told else min(RETRY, self._follow_every))
