"""Just enough HTTP/1.1 to know what was answered and when, and what was never answered at all."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

PATIENCE = 20.0
"""Seconds after which a request counts as unanswered."""

_NOTHING: Mapping[str, str] = {}


class Unanswered(Exception):
    """The connection was refused, cut or silent: nobody knows whether the request took effect."""


@dataclass(frozen=True)
class Answer:
    """`seconds`: from the first byte sent to the last one received."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(self.body)
        return members

    def __str__(self) -> str:
        return f"{self.status} {self.text[:200]}"


class Wire:
    """One connection at a time to a server on loopback, opened when it is needed and again after it was lost.

    Nothing is sent twice: what was not answered is the caller's to judge.
    """

    def __init__(self, port: int, *, patience: float = PATIENCE, address: str | None = None) -> None:
        """`address` is the caller's own, one of 127.0.0.0/8; None: as the system chooses."""
        self.port = port
        self._address = None if address is None else (address, 0)
        self._patience = patience
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, headers: Mapping[str, str] = _NOTHING) -> Answer:
        return await self.ask("GET", path, b"", headers)

    async def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] = _NOTHING) -> Answer:
        typed = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return await self.ask("POST", path, urlencode(form).encode(), typed)

    async def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises Unanswered."""
        head = [f"{method} {path} HTTP/1.1", f"Host: localhost:{self.port}", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        begin = time.perf_counter()
        try:
            async with asyncio.timeout(self._patience):
                if self._streams is None or self._streams[0].at_eof():
                    self.close()
                    self._streams = await asyncio.open_connection("127.0.0.1", self.port, local_addr=self._address)
                reader, writer = self._streams
                writer.write("\r\n".join([*head, "", ""]).encode() + body)
                status, fields, content = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError, ValueError) as lost:
            self.close()
            raise Unanswered(f"{method} {path.partition('?')[0]}: {type(lost).__name__} {lost}") from lost
        except asyncio.CancelledError:
            self.close()  # or the next request would get this one's answer
            raise
        if fields.get("connection") == "close":
            self.close()
        return Answer(status, fields, content, time.perf_counter() - begin)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
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
