"""GET a document from an issuer that may be slow, wrong or down: bounded size, no redirects, no compression."""

import ssl
from dataclasses import dataclass
from functools import cache

import httpx

from tallystick.request_id import outgoing_headers

MAX_JSON_BYTES = 256 * 1024


@dataclass(frozen=True)
class Fetched:
    """The body of a 200 response, and its ETag if it has one (RFC 9110 §8.8.3)."""

    body: bytes
    etag: str | None


class NotFound(ValueError):
    """The issuer answered 404 or 410."""


def client_for(url: str, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """A client for one fetch. A new one each time depends on no event loop, and keeps no idle connection.

    `transport` replaces the network, for tests.
    """
    # A proxy from the environment cannot reach an issuer on this machine.
    return httpx.AsyncClient(transport=transport, verify=_tls_context(), trust_env=url.startswith("https:"))


async def get_json(http: httpx.AsyncClient, url: str) -> bytes:
    """The body of a 200 response to a request for JSON. The caller bounds the time.

    Raises ValueError for any other response and for a body of more than MAX_JSON_BYTES; httpx.HTTPError when there is
    no response.
    """
    fetched = await get_if_changed(http, url, accept="application/json", max_bytes=MAX_JSON_BYTES)
    if fetched is None:
        raise ValueError(f"{url} answered 304 to a request without a condition")
    return fetched.body


async def get_if_changed(
    http: httpx.AsyncClient, url: str, *, accept: str, max_bytes: int, etag: str | None = None
) -> Fetched | None:
    """The document, or None while it is the version of `etag` (RFC 9110 §13.1.2). Raises as `get_json` does."""
    # Without compression, the bytes that are counted are the bytes that are kept.
    headers = {"Accept": accept, "Accept-Encoding": "identity", **outgoing_headers()}
    if etag is not None:
        headers["If-None-Match"] = etag
    async with http.stream("GET", url, headers=headers, follow_redirects=False) as response:
        if response.status_code == 304 and etag is not None:
            return None
        if response.status_code != 200:
            kind = NotFound if response.status_code in (404, 410) else ValueError
            raise kind(f"{url} answered {response.status_code}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError(f"{url} answered with an encoding that was not requested")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > max_bytes:
                raise ValueError(f"{url} answered more than {max_bytes} bytes")
        return Fetched(bytes(body), response.headers.get("ETag"))


@cache  # creating a context takes much longer than a fetch
def _tls_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()
