"""Outgoing requests to a real server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx

from auth_service.outgoing import OutgoingRequests, OutgoingResponse
from auth_service.settings.settings import Outgoing as Settings
from tests.support.certificates import Authority
from tests.support.far_side import far_side

HEAD = b"HTTP/1.1 200 OK\r\n"


@asynccontextmanager
async def outgoing(
    *allow_hosts: str, ca: Authority | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[OutgoingRequests]:
    settings = Settings(allow_hosts=list(allow_hosts), ca_file=str(ca.ca_file) if ca else "")
    client = OutgoingRequests(settings, transport)
    try:
        yield client
    finally:
        await client.aclose()


async def get(
    client: OutgoingRequests, url: str, *, is_trusted: bool = False, max_bytes: int = 1000
) -> OutgoingResponse:
    return await client.get(url, is_trusted=is_trusted, accept="application/json", max_bytes=max_bytes)


async def get_trusted(answer: bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]) -> OutgoingResponse:
    async with far_side(answer) as far, outgoing() as client:
        return await get(client, f"http://127.0.0.1:{far.port}/", is_trusted=True)
