"""Reading documents from an issuer that may be slow, wrong or down: bounded bytes, no redirects."""

import ssl
from dataclasses import dataclass
from functools import cache

import httpx

from tallystick.request_id import outgoing_headers

MAX_DOCUMENT_BYTES = 256 * 1024


@dataclass(frozen=True)
class Answer:
    """A 200: its body, and the name of this version of it, where the issuer gave one (RFC 9110 §8.8.3)."""

    body: bytes
    etag: str | None


class NotThere(ValueError):
    """The issuer answered that it has no such document."""


def client_for(url: str, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """A client for one fetch: it belongs to no event loop but this one, and holds no connection in between.

    `transport` is how the issuer is reached, when not by the network.
    """
    # The environment's proxies are for the world outside, not for an issuer on this machine.
    return httpx.AsyncClient(transport=transport, verify=_tls_context(), trust_env=url.startswith("https:"))


async def get_document(http: httpx.AsyncClient, url: str) -> bytes:
    """The body of a 200, a JSON document. The time is bounded by the caller.

    Raises ValueError for any other answer and for a body without end; httpx.HTTPError when there is no answer.
    """
    answer = await get_if_changed(http, url, accept="application/json", max_bytes=MAX_DOCUMENT_BYTES)
    if answer is None:
        raise ValueError(f"{url} answered 304 to a question without condition")
    return answer.body


async def get_if_changed(
    http: httpx.AsyncClient, url: str, *, accept: str, max_bytes: int, etag: str | None = None
) -> Answer | None:
    """The same for any kind of document; None when it is still the version of `etag` (RFC 9110 §13.1.2)."""
    # Uncompressed, so that the bytes on the wire are the bytes held.
    headers = {"Accept": accept, "Accept-Encoding": "identity", **outgoing_headers()}
    if etag is not None:
        headers["If-None-Match"] = etag
    async with http.stream("GET", url, headers=headers, follow_redirects=False) as response:
        if response.status_code == 304 and etag is not None:
            return None
        if response.status_code != 200:
            kind = NotThere if response.status_code in (404, 410) else ValueError
            raise kind(f"{url} answered {response.status_code}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError(f"{url} answered with an encoding that was not asked for")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > max_bytes:
                raise ValueError(f"{url} answered more than {max_bytes} bytes")
        return Answer(bytes(body), response.headers.get("ETag"))


@cache  # it takes much longer to make than a fetch does
def _tls_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()
