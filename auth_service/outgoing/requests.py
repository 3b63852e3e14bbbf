"""Requests to the addresses that clients gave us: their keys, logos and logout endpoints.

An address from the configuration file is trusted. One that a stranger registered must not become our hand inside our
own network, so it is https and leads to public addresses only, unless `[outgoing] allow_hosts` names its host.
Either kind gets little time and few bytes, and neither is followed to where it redirects.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import httpx

from auth_service.outgoing.pinned_transport import PinnedTransport
from auth_service.settings.settings import Outgoing as OutgoingSettings
from tallystick.request_id import outgoing_headers
from tallystick.urls import is_loopback

REQUEST_TIMEOUT = 5.0
"""For one request from its first byte to its last, the wait for a connection included."""
CONNECT_TIMEOUT = 2.0
MAX_CONNECTIONS = 32
"""At once to addresses of clients that registered themselves, and as many to trusted ones: neither kind waits for
the other. More than keys, logos and logout tokens may have together, so that none of these waits for another."""
MAX_POST_RESPONSE_BYTES = 4096
"""Kept of the answer to a POST, which is told by its status."""

_PORTS = {"http": 80, "https": 443}
_TIMEOUT = httpx.Timeout(REQUEST_TIMEOUT, connect=CONNECT_TIMEOUT).as_dict()
_HEADERS = {
    "User-Agent": "tallystick",
    "Accept-Encoding": "identity",  # the bytes on the wire are the bytes held
    "Connection": "close",
}


class OutgoingFailed(Exception):
    """For every reason. `str()` is one line for the log: of the address it has the origin, for a path may be secret."""


@dataclass(frozen=True)
class OutgoingResponse:
    """Any answer, a refusal or redirect included. `media_type` is in lower case, without parameters; "" for none."""

    status: int
    media_type: str
    body: bytes


class OutgoingRequests:
    """Speaks through transports, without an HTTP client around them: no cookies, no redirects, no proxies."""

    def __init__(self, settings: OutgoingSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` stands in for the network, name look-ups included. `settings` have been checked."""
        self._settings = settings
        self._trusted, self._strangers = (transport, transport) if transport else self._transports()
        self._places = {is_trusted: asyncio.Semaphore(MAX_CONNECTIONS) for is_trusted in (True, False)}

    async def get(self, url: str, *, is_trusted: bool, accept: str, max_bytes: int) -> OutgoingResponse:
        """The answer to a GET. Raises OutgoingFailed, for a body of more than `max_bytes` or encoded, too."""
        return await self._ask("GET", url, is_trusted=is_trusted, accept=accept, max_bytes=max_bytes)

    async def post(self, url: str, form: Mapping[str, str], *, is_trusted: bool) -> OutgoingResponse:
        """The answer to a form. Of its body the beginning is kept, as it came. Raises OutgoingFailed."""
        return await self._ask("POST", url, is_trusted=is_trusted, accept="*/*", form=form)

    async def aclose(self) -> None:
        await self._trusted.aclose()
        await self._strangers.aclose()

    def _transports(self) -> tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport]:
        tls = tls_context(self._settings.ca_file)
        trusted = PinnedTransport(tls, may_be_private=lambda url: True)
        strangers = PinnedTransport(tls, may_be_private=self._is_allowed)
        return trusted, strangers

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        is_trusted: bool,
        accept: str,
        form: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> OutgoingResponse:
        origin = "the address"
        try:
            headers = {**_HEADERS, "Accept": accept, **outgoing_headers()}
            request = httpx.Request(method, url, headers=headers, data=form, extensions={"timeout": _TIMEOUT})
            origin = _origin(request.url)
            self._check(request.url, is_trusted=is_trusted)
            async with asyncio.timeout(REQUEST_TIMEOUT), self._places[is_trusted]:
                transport = self._trusted if is_trusted else self._strangers
                response = await transport.handle_async_request(request)
                try:
                    return await _read(response, max_bytes)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise OutgoingFailed(f"{origin}: no complete answer within {REQUEST_TIMEOUT:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as failure:
            raise OutgoingFailed(f"{origin}: {_one_line(failure)}") from failure

    def _check(self, url: httpx.URL, *, is_trusted: bool) -> None:
        """Raises ValueError for an address that is refused before anybody is asked for its number.

        Of a stranger's ports only 443 and those above 1023: the others belong to services that are not the web's, and
        to knock there with a stranger's name for a greeting is to be taken for an attacker.
        """
        if (
            url.scheme not in _PORTS
            or not url.host
            or url.userinfo
            or not 0 < (443 if url.port is None else url.port) < 65536
        ):
            raise ValueError("must be an http(s) address with a host and no user")
        if self._is_allowed(url):
            return
        if url.scheme == "http" and not (is_trusted and is_loopback(url.host)):
            raise ValueError("must be https")
        if not is_trusted and url.port is not None and url.port <= 1023:
            raise ValueError("the port must be 443 or above 1023")

    def _is_allowed(self, url: httpx.URL) -> bool:
        return self._settings.allows(_host(url), _PORTS[url.scheme] if url.port is None else url.port)


@cache
def tls_context(ca_file: str) -> ssl.SSLContext:
    """What certificates are judged by: the system's authorities, and those in `ca_file` besides."""
    context = ssl.create_default_context()  # reads hundreds of certificates
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # 1.3 is taken wherever the other side has it
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


async def _read(response: httpx.Response, max_bytes: int | None) -> OutgoingResponse:
    """Raises ValueError for more than `max_bytes`; without such a bound the beginning is all that is read."""
    if max_bytes is not None and response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ValueError("the answer is encoded, which was not asked for")
    most = MAX_POST_RESPONSE_BYTES if max_bytes is None else max_bytes
    body = bytearray()
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("the transport is not an asynchronous one")
    async for chunk in response.stream:  # as it came: nothing is ever decompressed
        body += chunk
        if len(body) > most:
            if max_bytes is not None:
                raise ValueError(f"the answer has more than {most} bytes")
            break
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return OutgoingResponse(response.status_code, media_type, bytes(body[:most]))


def _host(url: httpx.URL) -> str:
    """As a URL writes it: an IPv6 address in brackets."""
    host = url.raw_host.decode("ascii")
    return f"[{host}]" if ":" in host else host


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{_host(url)[:260]}{'' if url.port is None else f':{url.port}'}"


def _one_line(failure: Exception) -> str:
    """The other side has a say in some of these texts, and the log is ours."""
    text = str(failure) or type(failure).__name__
    return "".join(character if character.isprintable() else " " for character in text)[:200]
