"""A minimal HTTP/1.1 client that measures each response and never sends a request twice."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

RESPONSE_TIMEOUT = 60.0
"""Seconds."""

_NO_HEADERS: Mapping[str, str] = {}


class NoResponse(Exception):
    """The connection was refused or closed, or it timed out. Whether the request took effect is unknown."""


@dataclass(frozen=True)
class RawResponse:
    """`seconds`: from the first byte sent to the last byte received."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def is_unavailable(self) -> bool:
        """503 with Retry-After."""
        return self.status == 503 and "retry-after" in self.headers

    def json(self) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(self.body)
        return members

    def __str__(self) -> str:
        return f"{self.status} {self.text[:200]}"


class RawHTTPClient:
    """One connection to a server on loopback. It is opened on demand, and reopened after it was closed."""

    def __init__(self, port: int, *, timeout: float = RESPONSE_TIMEOUT, address: str | None = None) -> None:
        """`address` is the local address, one of 127.0.0.0/8; the system chooses it when it is None."""
        self.port = port
        self._local_address = None if address is None else (address, 0)
        self._timeout = timeout
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, headers: Mapping[str, str] = _NO_HEADERS) -> RawResponse:
        return await self._send("GET", path, b"", headers)

    async def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] = _NO_HEADERS) -> RawResponse:
        content_type = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._send("POST", path, urlencode(form).encode(), {**content_type, **headers})

    async def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> RawResponse:
        """Raises NoResponse."""
        head = [f"{method} {path} HTTP/1.1", f"Host: localhost:{self.port}", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        begin = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout):
                reader, writer = await self._connection()
                writer.write("\r\n".join([*head, "", ""]).encode() + body)
                status, fields, content = await _read_response(reader)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.close()
            raise NoResponse(f"{method} {path.partition('?')[0]}: {type(error).__name__} {error}") from error
        except asyncio.CancelledError:
            self.close()  # otherwise the next request would read this one's response
            raise
        if fields.get("connection") == "close":
            self.close()
        return RawResponse(status, fields, content, time.perf_counter() - begin)

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or self._streams[0].at_eof():
            self.close()
            self._streams = await asyncio.open_connection("127.0.0.1", self.port, local_addr=self._local_address)
        return self._streams

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _read_response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers and the body. Values of a repeated header are joined by a line feed."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields: dict[str, str] = {}
    for line in filter(None, head[1:]):
        name, _, value = line.partition(":")
        key = name.lower()
        fields[key] = f"{fields[key]}\n{value.strip()}" if key in fields else value.strip()
    if fields.get("transfer-encoding") == "chunked":
        content = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            content += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    else:
        content = await reader.readexactly(int(fields.get("content-length", 0)))
    return int(head[0].split()[1]), fields, content
