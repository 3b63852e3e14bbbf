"""The attacks of one hostile peer, which continue until they are cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

LARGEST_ASSET = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n"
"""The request with the largest response."""

Attack = Callable[[int], Awaitable[None]]
"""Takes the port of the service; uses one connection until the service closes it."""


async def repeat(attack: Attack, port: int) -> None:
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            await attack(port)
        await asyncio.sleep(0.05)


async def _half_open(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"POST /token HTTP/1.1\r\nHo")
        await reader.read(1)
    finally:
        writer.close()


async def _endless_headers(port: int) -> None:
    await _send_endlessly(port, b"GET /jwks HTTP/1.1\r\nHost: a\r\n", b"X-Header: " + b"x" * 1000 + b"\r\n")


async def _huge_body(port: int) -> None:
    begin = b"POST /notes HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n"
    await _send_endlessly(port, begin, b"x" * 65536)


async def _endless_chunks(port: int) -> None:
    begin = (
        b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    await _send_endlessly(port, begin, b"10000\r\n" + b"x" * 65536 + b"\r\n")


async def _slow_body(port: int) -> None:
    begin = (
        b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 60000\r\n\r\n"
    )
    await _send_endlessly(port, begin, b"x", pause=0.2)


async def _unread_responses(port: int) -> None:
    await _pipeline(port, LARGEST_ASSET)


async def _many_requests(port: int) -> None:
    """Thousands of requests in each packet."""
    await _pipeline(port, b"GET /healthz HTTP/1.1\r\nHost:a\r\n\r\n" * 1000)


async def _send_endlessly(port: int, begin: bytes, more: bytes, *, pause: float = 0.001) -> None:
    """`pause`: seconds between two writes."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(begin)
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(pause)
    finally:
        writer.transport.abort()


async def _pipeline(port: int, requests: bytes) -> None:
    """Send requests as fast as the connection takes them, and never read."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    try:
        while True:
            writer.write(requests)
            await writer.drain()
            await asyncio.sleep(0)
    finally:
        writer.transport.abort()


ATTACKS: dict[str, Attack] = {
    "half-open requests": _half_open,
    "endless headers": _endless_headers,
    "huge bodies": _huge_body,
    "endless chunks": _endless_chunks,
    "slow bodies": _slow_body,
    "unread responses": _unread_responses,
    "thousands of requests at once": _many_requests,
}
