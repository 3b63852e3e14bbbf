"""A load generator that rotates refresh tokens: each connection sends the token of its last response.

wrk would have to parse responses in Lua, and an HTTP library is slower than the measured server, so this module has a
minimal HTTP client.
"""

import asyncio
import re
import time
from urllib.parse import quote

import uvloop

from bench.figures import Sample
from bench.processes import Process
from bench.services import APP, basic

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_REFRESH_TOKEN = re.compile(rb'"refresh_token":"([^"]+)"')


def rotate_over_http(server: Process, tokens: list[str], *, seconds: float) -> Sample:
    """Rotate all `tokens` concurrently for `seconds`; replace each by its newest successor."""
    cpu, begin = server.cpu_seconds, time.perf_counter()
    count = uvloop.run(_rotate_all(server.port, tokens, begin + seconds))
    return Sample(count, time.perf_counter() - begin, server.cpu_seconds - cpu)


async def _rotate_all(port: int, tokens: list[str], end: float) -> int:
    return sum(await asyncio.gather(*(_rotate(port, tokens, index, end) for index in range(len(tokens)))))


async def _rotate(port: int, tokens: list[str], index: int, end: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < end:
        writer.write(_request(tokens[index]))
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        token = _REFRESH_TOKEN.search(body)
        if token is None:
            raise RuntimeError(f"no rotation: {body.decode()}")
        tokens[index] = token[1].decode()
        count += 1
    writer.close()
    return count


def _request(token: str) -> bytes:
    body = f"grant_type=refresh_token&refresh_token={quote(token)}"
    return (
        f"POST /token HTTP/1.1\r\nHost: localhost\r\nAuthorization: {_AUTHORIZATION}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


_AUTHORIZATION = basic(APP)["Authorization"]
