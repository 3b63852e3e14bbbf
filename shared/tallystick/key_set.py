"""The public keys of an issuer: fetched ahead of need, and kept when the issuer is away."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import httpx

from tallystick.clock import Clock, system_clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.issuer_metadata import find_jwks_uri, get_document
from tallystick.jwk import PublicKey, parse_jwk_set
from tallystick.jwks_file import read_jwks_file, write_jwks_file
from tallystick.request_id import own_request_id
from tallystick.urls import check_identifier, check_url

REFRESH = 4.0
"""Seconds between looks at the issuer's keys: with the time a fetch takes, a withdrawn key is believed for about 5."""
RETRY = 1.0
"""Seconds between attempts while we never had any keys."""
COOLDOWN = 4
"""Seconds, by the clock, during which strangers' unknown kids cannot make us ask a second time."""
FETCH_TIMEOUT = 3.0
"""Seconds for one fetch, the issuer's metadata included; the longest that a request with an unknown kid waits."""

log = logging.getLogger(__name__)


class RemoteKeySet:
    """The keys by which one issuer's tokens are believed.

    From its first use a background task keeps them fresh until `aclose`. No request waits for that task but those that
    carry an unknown kid or come before the first keys. An issuer that is away, or answers nonsense, changes nothing:
    the last good keys stay. An issuer that withdraws a key is obeyed.
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
        self._issuer = check_identifier(issuer)
        self._configured_jwks_uri = check_url(jwks_uri) if jwks_uri else None
        self._jwks_uri = self._configured_jwks_uri
        self._jwks_file = jwks_file
        self._clock = clock
        self._transport = transport
        self._keys: Mapping[str, PublicKey] = MappingProxyType({})
        self._was_told = False
        self._issuer_is_away = False
        self._asked_at: int | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        if jwks_file is not None:
            self._load(jwks_file)

    @property
    def keys(self) -> Mapping[str, PublicKey]:
        """The keys by kid. Another object whenever, and only when, they have changed."""
        return self._keys

    @property
    def is_ready(self) -> bool:
        return bool(self._keys)

    def keep_fresh(self) -> None:
        """Start the background task on the running event loop, unless it runs. Cheap enough for every request."""
        if not _is_running(self._refreshing):
            self._refreshing = asyncio.create_task(self._refresh_forever())

    async def seek(self, kid: str) -> Mapping[str, PublicKey]:
        """The keys, after the issuer had its chance to tell of `kid`; which need not have helped.

        However many requests come with unknown kids, they share one fetch, and cause at most one per COOLDOWN.
        Raises TemporarilyUnavailable when the issuer has never told us any keys.
        """
        self.keep_fresh()
        if kid not in self._keys and (_is_running(self._fetching) or self._may_ask()):
            await self.refresh()
        if not self._was_told:
            raise TemporarilyUnavailable("the keys of the issuer are not known yet")
        return self._keys

    async def refresh(self) -> None:
        """Fetch the keys now, or join the fetch under way. Never raises: when it fails, the keys stay as they are."""
        if self._fetching is None or not _is_running(self._fetching):
            self._fetching = asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)  # one caller may give up without taking the others' fetch along

    async def aclose(self) -> None:
        """End the background task. A later use starts it again."""
        tasks = [task for task in (self._refreshing, self._fetching) if task is not None and _is_running(task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _may_ask(self) -> bool:
        now = self._clock()
        if self._asked_at is not None and 0 <= now - self._asked_at < COOLDOWN:  # below 0 the clock was set back
            return False
        self._asked_at = now
        return True

    async def _refresh_forever(self) -> None:
        while True:
            with own_request_id():  # not that of the request which was the first to need us
                await self.refresh()
            await asyncio.sleep(REFRESH if self._was_told else RETRY)

    async def _fetch(self) -> None:
        try:
            # A client for each fetch: it belongs to no event loop but this one, and holds no connection in between.
            async with asyncio.timeout(FETCH_TIMEOUT), self._client() as http:
                self._jwks_uri = self._jwks_uri or await find_jwks_uri(http, self._issuer)
                document = await get_document(http, self._jwks_uri)
            keys = parse_jwk_set(document)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as failure:  # OSError: TimeoutError, too
            self._jwks_uri = self._configured_jwks_uri  # the issuer may have moved its keys
            self._note_absence(failure)
            return
        if self._issuer_is_away:
            self._issuer_is_away = False
            log.info("the keys of %s can be fetched again", self._issuer)
        if self._accept(keys) and self._jwks_file is not None:
            await self._save(self._jwks_file, document)

    def _client(self) -> httpx.AsyncClient:
        # The environment's proxies are for the world outside, not for an issuer on this machine.
        is_remote = (self._jwks_uri or self._issuer).startswith("https:")
        return httpx.AsyncClient(transport=self._transport, verify=_tls_context(), trust_env=is_remote)

    def _accept(self, keys: dict[str, PublicKey]) -> bool:
        """Take over what the issuer told. True when it was news."""
        is_news = not self._was_told or keys != self._keys
        self._was_told = True
        if is_news:
            self._keys = MappingProxyType(keys)
        return is_news

    def _note_absence(self, failure: Exception) -> None:
        if not self._issuer_is_away:  # said once, not every few seconds of a long night
            self._issuer_is_away = True
            reason = str(failure) or type(failure).__name__
            log.warning("cannot fetch the keys of %s, keeping %d: %s", self._issuer, len(self._keys), reason)

    def _load(self, path: Path) -> None:
        try:
            document = read_jwks_file(path)
            if document is not None:
                self._accept(parse_jwk_set(document))
        except (OSError, ValueError) as failure:
            log.warning("cannot use the keys in %s: %s", path, failure)

    async def _save(self, path: Path, document: bytes) -> None:
        try:
            await asyncio.to_thread(write_jwks_file, path, document)
        except OSError as failure:
            log.warning("cannot keep the keys in %s: %s", path, failure)


@cache  # it takes much longer to make than a fetch does
def _tls_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _is_running(task: asyncio.Task[None] | None) -> bool:
    """Whether the task goes on here: one of an event loop that was stopped under it is never done, and never runs."""
    return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()
