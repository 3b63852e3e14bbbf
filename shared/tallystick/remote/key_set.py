"""The public keys of an issuer: fetched in advance, and kept while the issuer is unavailable."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Self

import httpx

from tallystick.clock import Clock, system_clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.jwk import PublicKey, parse_jwk_set
from tallystick.remote.document import FETCH_TIMEOUT, RemoteDocument
from tallystick.remote.http import MAX_JSON_BYTES, client_for, get_if_changed
from tallystick.remote.internal_url import Address, published
from tallystick.remote.last_known_file import LastKnownFile
from tallystick.remote.metadata import find_jwks_uri
from tallystick.token_checker import KeySet
from tallystick.urls import check_identifier, check_url

log = logging.getLogger(__name__)


class RemoteKeySet(RemoteDocument):
    """The JWK Set of one issuer.

    The last good keys stay while the issuer does not respond, or not with a JWK Set. A key that the issuer removes
    from the set is dropped.
    """

    def __init__(
        self,
        issuer: str,
        *,
        jwks_uri: str | None = None,
        jwks_file: Path | None = None,
        clock: Clock = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
        address: Address = published,
    ) -> None:
        """`jwks_uri` is found through the issuer's metadata by default. `jwks_file` provides the keys until the first
        fetch, and is rewritten when they change.

        Raises ValueError for a URL that is neither https nor on loopback.
        """
        super().__init__(f"the keys of {issuer}", clock=clock, transport=transport, address=address)
        self.keys: KeySet | None = None
        """None until the issuer, or the file, has named its keys. A new object when they have changed."""
        self.changed: Callable[[], object] = lambda: None
        """Called right after `keys` has changed."""
        self._issuer = check_identifier(issuer)
        self._configured_jwks_uri = check_url(jwks_uri) if jwks_uri else None
        self._jwks_uri = self._configured_jwks_uri
        self._file = None if jwks_file is None else LastKnownFile(jwks_file, "the keys")
        self._is_saved = True
        if self._file is not None:
            self._load(self._file)

    def get(self, kid: str) -> PublicKey | None:
        return None if self.keys is None else self.keys.by_kid.get(kid)

    async def look_up(self, kid: str) -> KeySet:
        """The keys, after a fetch if `kid` is unknown. The fetch need not bring it.

        While there are no keys, and the last fetch failed, this does not wait.

        Raises TemporarilyUnavailable while no keys have ever been fetched.
        """
        if self.get(kid) is None and not (self.keys is None and self.is_failing):
            await self.refresh_for_token()
        if self.keys is None:
            raise TemporarilyUnavailable("the keys of the issuer are not known yet")
        return self.keys

    def adopt(self, other: Self) -> None:
        super().adopt(other)
        self.keys = other.keys if other.keys is not None else self.keys

    async def _fetch(self) -> None:
        url = self._jwks_uri or self._issuer
        try:
            async with client_for(self._address(url), self._transport) as http, asyncio.timeout(FETCH_TIMEOUT):
                self._jwks_uri = self._jwks_uri or await find_jwks_uri(http, self._issuer, self._address)
                url = self._address(self._jwks_uri)
                fetched = await get_if_changed(
                    http, url, accept="application/json", max_bytes=MAX_JSON_BYTES, etag=self._etag
                )
            if fetched is None:
                return
            if self._accept(parse_jwk_set(fetched.body)):
                self._is_saved = self._file is None
        except (httpx.HTTPError, ValueError, OSError):
            self._jwks_uri, self._etag = self._configured_jwks_uri, None  # the issuer may have moved its keys
            raise
        if self._file is not None and not self._is_saved:
            self._is_saved = await self._file.write(lambda: fetched.body)
        self._etag = fetched.etag if self._is_saved else None  # without an ETag, the next response has the keys again

    def _accept(self, keys: dict[str, PublicKey]) -> bool:
        """Use these keys. Returns whether they differ from those before."""
        is_new = self.keys is None or keys != self.keys.by_kid
        if is_new:
            self.keys = KeySet(MappingProxyType(keys))
            self.changed()
        return is_new

    def _load(self, file: LastKnownFile) -> None:
        try:
            document = file.read(max_bytes=MAX_JSON_BYTES)
            if document is not None:
                self._accept(parse_jwk_set(document))
        except (OSError, ValueError) as failure:
            log.warning("cannot use the keys in %s: %s", file.path, failure)
