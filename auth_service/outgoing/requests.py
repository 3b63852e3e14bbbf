"""HTTP requests to URLs that clients registered: their keys, logos and logout endpoints.

A URL from the configuration file is trusted. A URL of a self-registered client must not reach into the operator's own
network (SSRF), so it must be https and lead to public addresses only, unless `[outgoing] allow_hosts` names its host.
Both kinds have a short timeout and a small size limit, and redirects are not followed.
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
"""Seconds for one request and its whole response, including the wait for a connection."""
CONNECT_TIMEOUT = 2.0
MAX_CONNECTIONS = 32
"""Concurrent connections to URLs of self-registered clients, and as many to trusted URLs, so that neither kind delays
the other. More than keys, logos and logout tokens use together, so that none of these delays another."""
MAX_POST_RESPONSE_BYTES = 4096
"""Bytes kept of the response to a POST, whose outcome is its status."""

_PORTS = {"http": 80, "https": 443}
_TIMEOUT = httpx.Timeout(REQUEST_TIMEOUT, connect=CONNECT_TIMEOUT).as_dict()
_HEADERS = {
    "User-Agent": "tallystick",
    "Accept-Encoding": "identity",  # so that the size limit counts the bytes on the wire
    "Connection": "close",
}


class OutgoingFailed(Exception):
    """The request failed, for any reason. `str()` is one line for the log. Of the URL it contains only the origin,
    because the path may be secret."""


@dataclass(frozen=True)
class OutgoingResponse:
    """A response of any status. `media_type` is in lower case and without parameters; "" if absent."""

    status: int
    media_type: str
    body: bytes


class OutgoingRequests:
    """Uses httpx transports without an httpx client, so that there are no cookies, redirects or proxies."""

    def __init__(self, settings: OutgoingSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` replaces the network, including name lookups. `settings` have been checked."""
        self._settings = settings
        self._trusted, self._untrusted = (transport, transport) if transport else self._transports()
        self._slots = {is_trusted: asyncio.Semaphore(MAX_CONNECTIONS) for is_trusted in (True, False)}

    async def get(self, url: str, *, is_trusted: bool, accept: str, max_bytes: int) -> OutgoingResponse:
        """GET. Raises OutgoingFailed, also for a response with more than `max_bytes` or with a Content-Encoding."""
        return await self._send("GET", url, is_trusted=is_trusted, accept=accept, max_bytes=max_bytes)

    async def post(self, url: str, form: Mapping[str, str], *, is_trusted: bool) -> OutgoingResponse:
        """POST a form. Keeps at most the first MAX_POST_RESPONSE_BYTES of the response. Raises OutgoingFailed."""
        return await self._send("POST", url, is_trusted=is_trusted, accept="*/*", form=form)

    async def aclose(self) -> None:
        await self._trusted.aclose()
        await self._untrusted.aclose()

    def _transports(self) -> tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport]:
        tls = tls_context(self._settings.ca_file)
        trusted = PinnedTransport(tls, may_be_private=lambda url: True)
        untrusted = PinnedTransport(tls, may_be_private=self._is_allowed)
        return trusted, untrusted

    async def _send(
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
            async with asyncio.timeout(REQUEST_TIMEOUT), self._slots[is_trusted]:
                transport = self._trusted if is_trusted else self._untrusted
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
        """Raises ValueError for a URL that is refused before its host is looked up.

        Self-registered clients may use port 443 and those above 1023. The other ports belong to services that are not
        HTTP, whose operators could take the request for an attack by this service.
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
    """Trusts the system's certificate authorities, and those in `ca_file`."""
    context = ssl.create_default_context()  # reads hundreds of certificates
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # 1.3 is used if the server supports it
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


async def _read(response: httpx.Response, max_bytes: int | None) -> OutgoingResponse:
    """Raises ValueError for more than `max_bytes`. If `max_bytes` is None, the body is cut off without an error."""
    if max_bytes is not None and response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ValueError("the response is encoded, although identity was requested")
    limit = MAX_POST_RESPONSE_BYTES if max_bytes is None else max_bytes
    body = bytearray()
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("the transport must be asynchronous")
    async for chunk in response.stream:  # the raw bytes: nothing is decompressed
        body += chunk
        if len(body) > limit:
            if max_bytes is not None:
                raise ValueError(f"the answer has more than {limit} bytes")
            break
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return OutgoingResponse(response.status_code, media_type, bytes(body[:limit]))


def _host(url: httpx.URL) -> str:
    """As in a URL: an IPv6 address has brackets."""
    host = url.raw_host.decode("ascii")
    return f"[{host}]" if ":" in host else host


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{_host(url)[:260]}{'' if url.port is None else f':{url.port}'}"


def _one_line(failure: Exception) -> str:
    """Printable text of at most 200 characters: the server controls parts of some messages, which go into the log."""
    text = str(failure) or type(failure).__name__
    return "".join(character if character.isprintable() else " " for character in text)[:200]
