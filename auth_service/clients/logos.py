"""Clients' logos: fetched at the first request for the image, stored, and served by us.

No page waits for a client's host, and no browser of a user who signs in connects to it.
"""

import logging
from collections import OrderedDict

from auth_service.clients.raster_images import media_type_of
from auth_service.outgoing import OutgoingFailed, OutgoingRequests
from auth_service.store.clients import client_logos
from auth_service.store.clients.client_logos import Logo
from auth_service.store.clients.clients import Client
from tallystick.clock import Clock
from tallystick_service.store import Store
from tallystick_service.tasks.single_flight import SingleFlight

MAX_BYTES = 64 * 1024
MAX_FETCHES = 4
"""At the same time, for self-registered clients and for declared clients each. A request beyond that gets no logo."""
RETRY_INTERVAL = 600
"""Seconds after a failure in which this process does not fetch the same logo again."""
MAX_FAILURES = 1000
"""Remembered failures. The oldest are dropped first."""

_LogoKey = tuple[str, str, bool]
"""client_id, logo_uri, and whether the URI is trusted to lead to an address that is not public."""

_log = logging.getLogger(__name__)


class Logos:
    def __init__(self, outgoing: OutgoingRequests, store: Store, clock: Clock) -> None:
        self._outgoing = outgoing
        self._store = store
        self._clock = clock
        self._fetching: SingleFlight[_LogoKey, Logo | None] = SingleFlight()
        self._failed_at: OrderedDict[_LogoKey, int] = OrderedDict()

    async def find_logo(self, client: Client) -> Logo | None:
        """The client's logo; None when it has none, or when it cannot be fetched now."""
        if client.logo_uri is None:
            return None
        logo = await self._store.read(client_logos.find_logo, client.client_id, client.logo_uri)
        if logo is not None:
            return logo
        key = client.client_id, client.logo_uri, client.is_declared
        if key not in self._fetching and (self._has_failed(key) or self._is_busy(client.is_declared)):
            return None
        return await self._fetching.run(key, lambda: self._fetch(key))

    async def aclose(self) -> None:
        await self._fetching.aclose()

    def _has_failed(self, key: _LogoKey) -> bool:
        failed_at = self._failed_at.get(key)
        return failed_at is not None and 0 <= self._clock() - failed_at < RETRY_INTERVAL

    def _is_busy(self, is_trusted: bool) -> bool:
        return sum(key[2] == is_trusted for key in self._fetching) >= MAX_FETCHES

    async def _fetch(self, key: _LogoKey) -> Logo | None:
        client_id, logo_uri, is_trusted = key
        try:
            logo = await self._download(logo_uri, is_trusted=is_trusted)
        except (OutgoingFailed, ValueError) as failure:
            _log.warning("no logo for client %s: %s", client_id, failure)
            self._failed_at[key] = self._clock()
            self._failed_at.move_to_end(key)
            if len(self._failed_at) > MAX_FAILURES:
                self._failed_at.popitem(last=False)
            return None
        await self._store.write(client_logos.store_logo, client_id, logo_uri, logo, now=self._clock())
        return logo

    async def _download(self, logo_uri: str, *, is_trusted: bool) -> Logo:
        """Raises OutgoingFailed, and ValueError when the response is not a usable image."""
        response = await self._outgoing.get(
            logo_uri, is_trusted=is_trusted, accept="image/png, image/jpeg", max_bytes=MAX_BYTES
        )
        if response.status != 200:
            raise ValueError(f"the response has status {response.status}")
        media_type = media_type_of(response.body)
        if media_type is None:
            raise ValueError("neither PNG nor JPEG of a reasonable size")
        return Logo(media_type, response.body)
