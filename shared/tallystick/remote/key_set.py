"""The public keys of an issuer: fetched ahead of need, and kept when the issuer is away."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import httpx

from tallystick.clock import Clock, system_clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.jwk import PublicKey, parse_jwk_set
from tallystick.remote.issuer_http import MAX_DOCUMENT_BYTES, client_for, get_document
from tallystick.remote.issuer_metadata import find_jwks_uri
from tallystick.remote.last_known_file import LastKnownFile
from tallystick.remote.shared_fetch import FETCH_TIMEOUT, SharedFetch
from tallystick.urls import check_identifier, check_url

log = logging.getLogger(__name__)

Keys = Mapping[str, PublicKey]
"""By kid."""


class RemoteKeySet:
    """The keys by which one issuer's tokens are believed.

    An issuer that is away, or answers nonsense, changes nothing: the last good keys stay. An issuer that withdraws a
    key is obeyed.
    """

    def __init__(
        self,
        issuer: str,
        *,
        jwks_uri: str | None = None,
        jwks_file: Path | None = None,
        clock: Clock = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`jwks_uri` is found through the issuer's metadata when left out. `jwks_file` holds the first keys, until the
        issuer tells; it is rewritten whenever they change. `transport` is how the issuer is reached, when not by
        the network.

        Raises ValueError for an address that is neither https nor on loopback.
        """
        self.fetching = SharedFetch(f"the keys of {issuer}", self._fetch, clock=clock)
        self._issuer = check_identifier(issuer)
        self._configured_jwks_uri = check_url(jwks_uri) if jwks_uri else None
        self._jwks_uri = self._configured_jwks_uri
        self._jwks_file = None if jwks_file is None else LastKnownFile(jwks_file, "the keys")
        self._transport = transport
        self._keys: Keys = MappingProxyType({})
        self._was_told = False
        self._is_saved = True
        self._watchers: list[Callable[[], object]] = []
        if self._jwks_file is not None:
            self._load(self._jwks_file)

    @property
    def keys(self) -> Keys:
        """The keys by kid. Another object whenever, and only when, they have changed."""
        return self._keys

    @property
    def was_told(self) -> bool:
        """Whether the issuer ever told us its keys, by itself or through the file, be it that it has none."""
        return self._was_told

    def watch(self, watcher: Callable[[], object]) -> None:
        """Call `watcher` each time right after the keys have changed."""
        self._watchers.append(watcher)

    async def seek(self, kid: str) -> Keys:
        """The keys, after the issuer had its chance to tell of `kid`; which need not have helped.

        However many requests come with unknown kids, they share one fetch, and cause at most one per COOLDOWN.
        Raises TemporarilyUnavailable when the issuer has never told us any keys.
        """
        if kid not in self._keys:
            await self.fetching.ask()
        if not self._was_told:
            raise TemporarilyUnavailable("the keys of the issuer are not known yet")
        return self._keys

    async def refresh(self) -> None:
        """Fetch the keys now, or join the fetch under way. Never raises: when it fails, the keys stay as they are."""
        await self.fetching.join()

    async def _fetch(self) -> None:
        url = self._jwks_uri or self._issuer
        try:
            async with asyncio.timeout(FETCH_TIMEOUT), client_for(url, self._transport) as http:
                self._jwks_uri = self._jwks_uri or await find_jwks_uri(http, self._issuer)
                document = await get_document(http, self._jwks_uri)
            keys = parse_jwk_set(document)
        except (httpx.HTTPError, ValueError, OSError):
            self._jwks_uri = self._configured_jwks_uri  # the issuer may have moved its keys
            raise
        if self._accept(keys):
            self._is_saved = False
        if self._jwks_file is not None and not self._is_saved:
            self._is_saved = await self._jwks_file.write(lambda: document)

    def _accept(self, keys: dict[str, PublicKey]) -> bool:
        """Take over what the issuer told. True when it was news."""
        is_news = not self._was_told or keys != self._keys
        self._was_told = True
        if is_news:
            self._keys = MappingProxyType(keys)
            for watcher in self._watchers:
                watcher()
        return is_news

    def _load(self, file: LastKnownFile) -> None:
        try:
            document = file.read(max_bytes=MAX_DOCUMENT_BYTES)
            if document is not None:
                self._accept(parse_jwk_set(document))
        except (OSError, ValueError) as failure:
            log.warning("cannot use the keys in %s: %s", file.path, failure)
