"""Clients' logos: fetched when somebody first asks for the image, and from then on ours to serve.

Neither the browser of a person who signs in nor the making of a page ever waits for, or tells, a client's host.
"""

import asyncio
import logging
from collections import OrderedDict

from auth_service.clients.raster_images import media_type_of
from auth_service.outgoing import OutgoingFailed, OutgoingRequests
from auth_service.store.clients import client_logos
from auth_service.store.clients.client_logos import Logo
from auth_service.store.clients.clients import Client
from tallystick.clock import Clock
from tallystick_service.store import Store

MAX_BYTES = 64 * 1024
MOST_FETCHES = 4
"""At once for clients that registered themselves, and as many for the file's. Who asks meanwhile sees no logo yet."""
FAILED_SECONDS = 600
"""For which an address that gave no logo is not asked again, by this process."""
MOST_FAILURES = 1000
"""Remembered; the oldest go first."""

_Address = tuple[str, str, bool]
"""client_id, logo_uri, and whether that is trusted."""

_log = logging.getLogger(__name__)


class Logos:
    def __init__(self, outgoing: OutgoingRequests, store: Store, clock: Clock) -> None:
        self._outgoing = outgoing
        self._store = store
        self._clock = clock
        self._fetching: dict[_Address, asyncio.Task[Logo | None]] = {}
        self._failed_at: OrderedDict[_Address, int] = OrderedDict()

    async def of(self, client: Client) -> Logo | None:
        """The client's logo; None when it has none, or none that can be had at this moment."""
        if client.logo_uri is None:
            return None
        logo = await self._store.read(client_logos.find, client.client_id, client.logo_uri)
        if logo is not None:
            return logo
        address = client.client_id, client.logo_uri, client.is_declared
        fetching = self._fetching.get(address)
        if fetching is None:
            if self._has_failed(address) or self._is_busy(client.is_declared):
                return None
            fetching = self._fetching[address] = asyncio.create_task(self._fetch(address))
            fetching.add_done_callback(lambda done: self._done(address, done))
        return await asyncio.shield(fetching)  # one browser may give up without taking the others' fetch along

    async def aclose(self) -> None:
        fetches = list(self._fetching.values())
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)

    def _has_failed(self, address: _Address) -> bool:
        failed_at = self._failed_at.get(address)
        return failed_at is not None and 0 <= self._clock() - failed_at < FAILED_SECONDS

    def _is_busy(self, is_trusted: bool) -> bool:
        return sum(address[2] == is_trusted for address in self._fetching) >= MOST_FETCHES

    async def _fetch(self, address: _Address) -> Logo | None:
        client_id, logo_uri, is_trusted = address
        try:
            logo = await self._download(logo_uri, is_trusted=is_trusted)
        except (OutgoingFailed, ValueError) as failure:
            _log.warning("no logo for client %s: %s", client_id, failure)
            self._failed_at[address] = self._clock()
            self._failed_at.move_to_end(address)
            if len(self._failed_at) > MOST_FAILURES:
                self._failed_at.popitem(last=False)
            return None
        await self._store.write(client_logos.keep, client_id, logo_uri, logo, now=self._clock())
        return logo

    async def _download(self, logo_uri: str, *, is_trusted: bool) -> Logo:
        """Raises ValueError for what is no logo, OutgoingFailed."""
        answer = await self._outgoing.get(
            logo_uri, is_trusted=is_trusted, accept="image/png, image/jpeg", max_bytes=MAX_BYTES
        )
        if answer.status != 200:
            raise ValueError(f"the answer is {answer.status}")
        media_type = media_type_of(answer.body)
        if media_type is None:
            raise ValueError("neither PNG nor JPEG of a reasonable size")
        return Logo(media_type, answer.body)

    def _done(self, address: _Address, done: asyncio.Task[Logo | None]) -> None:
        del self._fetching[address]
        if not done.cancelled():
            done.exception()  # all who waited may have given up; it has been told to those who have not
