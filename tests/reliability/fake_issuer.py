"""An issuer on loopback that gives a valid response, or an invalid one for each path with a fault."""

import asyncio
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.reliability.configuration import AUDIENCE
from tests.support.clock import MovableClock
from tests.support.token_issuer import PublishedList, TokenIssuer, status

VALID, REVOKED = 3, 5
"""Indexes in its status list."""

Fault = Callable[[asyncio.StreamWriter], Awaitable[None]]


def _signer() -> TokenIssuer:
    return TokenIssuer(MovableClock(int(time.time())))


@dataclass
class FakeIssuer:
    """`faults` maps a path to a name in FAULTS. `requests` counts by path.

    `other` is another issuer, with other keys; a redirect leads to its documents.
    """

    url: str = ""
    faults: dict[str, str] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    invalid_responses: int = 0
    signer: TokenIssuer = field(default_factory=_signer)
    other: TokenIssuer = field(default_factory=_signer)

    @property
    def claims(self) -> dict[str, object]:
        return {"iss": self.url, "aud": AUDIENCE}

    @property
    def list_uri(self) -> str:
        return f"{self.url}/status-lists/1"

    def access_token(self, *, idx: int = VALID) -> str:
        self._update_clock()
        return self.signer.access_token(**self.claims, status=status(idx, self.list_uri))

    def _update_clock(self) -> None:
        self.signer.clock.now = int(time.time())

    @property
    def documents(self) -> dict[str, bytes]:
        metadata = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "status_list_aggregation_endpoint": f"{self.url}/status-lists",
        }
        self._update_clock()
        status_list = PublishedList(self.signer, self.list_uri, 64)
        status_list.revoke(REVOKED)
        return {
            "/status-lists": json.dumps({"status_lists": [self.list_uri]}).encode(),
            "/status-lists/1": status_list.token.encode(),
            "/.well-known/openid-configuration": json.dumps(metadata).encode(),
            "/jwks": self.signer.document,
            "/elsewhere": self.other.document,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.requests[path] += 1
            if path in self.faults:
                self.invalid_responses += 1
                await FAULTS[self.faults[path]](writer)
            else:
                await _respond(writer, 200, self.documents.get(path, b"{}"))
        writer.close()


@asynccontextmanager
async def fake_issuer() -> AsyncIterator[FakeIssuer]:
    issuer = FakeIssuer()
    server = await asyncio.start_server(issuer.serve, "127.0.0.1", 0)
    issuer.url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        server.close()


async def _respond(
    writer: asyncio.StreamWriter, status: int, body: bytes, *headers: str, length: int | None = None
) -> None:
    """`length`: a false Content-Length."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}", *headers]
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
    await writer.drain()


async def _garbage(writer: asyncio.StreamWriter) -> None:
    await _respond(writer, 200, b"<html>\xff\x00 under construction")


async def _no_keys(writer: asyncio.StreamWriter) -> None:
    await _respond(writer, 200, b'{"keys": [{"kty": "EC", "crv": "P-256", "x": 5}], "keys": 7}')


async def _error(writer: asyncio.StreamWriter) -> None:
    await _respond(writer, 500, b'{"keys": []}')


async def _huge(writer: asyncio.StreamWriter) -> None:
    await _respond(writer, 200, b'{"keys": [' + b" " * 50_000_000 + b"]}")


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()


async def _slow(writer: asyncio.StreamWriter) -> None:
    await _respond(writer, 200, b"{", length=100_000)
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.2)


async def _silent(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():  # noqa: ASYNC110 - until the API closes the connection
        await asyncio.sleep(0.1)


async def _redirect(writer: asyncio.StreamWriter) -> None:
    await _respond(writer, 302, b"", "Location: /elsewhere")


async def _truncated(writer: asyncio.StreamWriter) -> None:
    await _respond(writer, 200, b'{"keys": []}', length=1000)


async def _reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


FAULTS: dict[str, Fault] = {
    "garbage": _garbage,
    "no keys": _no_keys,
    "500s": _error,
    "a huge body": _huge,
    "an endless body": _endless,
    "a slow body": _slow,
    "no response": _silent,
    "a redirect": _redirect,
    "a truncated body": _truncated,
    "resets": _reset,
}
