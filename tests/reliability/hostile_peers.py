"""Peers that are slow or mean no good, at both services, beside honest clients who are to notice nothing."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from tallystick_service.server.file_limit import raise_file_limit
from tests.reliability.declared import PEOPLE
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.person import Refused, bearer
from tests.reliability.service import PATIENCE, Service
from tests.reliability.site import Site
from tests.reliability.wire import Unanswered

ENGINES = ("sqlite",)
GROWTH_MB = 250
"""Beyond which we do not call the memory of one process bounded: 4,096 connections, each with its buffers."""


@dataclass(frozen=True)
class Size:
    """`peers` at once, for `seconds`, of each attack; `unread` and `idle` are connections that are only held open."""

    peers: int
    seconds: float
    unread: int
    idle: int
    waits_for_the_end: bool


QUICK = Size(peers=20, seconds=0.5, unread=500, idle=5000, waits_for_the_end=False)
FULL = Size(peers=200, seconds=12.0, unread=3500, idle=10_000, waits_for_the_end=True)


async def run(site: Site, size: Size) -> Outcome:
    findings = Findings()
    auth, api = site.auth_service(), site.resource_service()
    await auth.start()
    await api.start()
    honest = _Honest(site, api, findings)
    await honest.prepare()
    files = raise_file_limit(size.idle + 1000)
    idle = min(size.idle, files - 1000)
    for name, attack in _ATTACKS.items():
        for service in (auth, api):
            await _endure(service, name, attack, size, honest, findings)
    for service in (auth, api):
        await _endure_unread(service, min(size.unread, idle), size, honest, findings)
        await _endure_idle(service, idle, size, honest, findings)
    findings.figures.append(f"{honest.count:,} honest requests meanwhile")
    names = ", ".join(_ATTACKS)
    return findings.outcome(
        "slow and hostile peers",
        f"{size.peers} at once for {size.seconds:.0f} s of each: {names}; "
        f"{size.unread:,} connections that ask for the largest asset and read nothing; {idle:,} idle connections",
    )


class _Honest:
    """Clients who keep their connection, and ones who come with a new one each time."""

    def __init__(self, site: Site, api: Service, findings: Findings) -> None:
        self.count = 0
        self._site = site
        self._api = api
        self._findings = findings
        self._person = site.person(PEOPLE[0])
        self._api_wire = site.wire(api.port)
        self._tokens: dict[str, str] = {}

    async def prepare(self) -> None:
        await self._person.sign_in()
        self._tokens = await self._person.tokens()
        await self.ask()

    async def ask(self, during: str = "peace") -> None:
        words = "honest clients are served, those who keep their connection and those who come anew"
        fresh, fresh_api = self._site.wire(), self._site.wire(self._api.port)
        try:
            self._tokens = await self._person.refresh(self._tokens["refresh_token"])
            token = self._tokens["access_token"]
            answers = [
                await self._api_wire.get("/notes", bearer(token)),
                await fresh_api.get("/notes", bearer(token)),
                await fresh.get("/jwks"),
                await self._person.authorize(),
            ]
        except (Unanswered, Refused) as failure:
            self._findings.promise(words, False, f"{during}: {failure}")
            return
        finally:
            fresh.close()
            fresh_api.close()
        for answer in answers:
            self.count += 1
            self._findings.promise(words, answer.status in (200, 303), f"{during}: {answer}")


_LARGEST = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n"

Attack = Callable[[int], Awaitable[None]]
"""One peer on one port, until it is cancelled."""


async def _endure(service: Service, name: str, attack: Attack, size: Size, honest: _Honest, findings: Findings) -> None:
    before = service.resident_mb
    peers = [asyncio.create_task(_repeat(attack, service.port)) for _ in range(size.peers)]
    highest = before
    end = asyncio.get_running_loop().time() + size.seconds
    while asyncio.get_running_loop().time() < end:
        await honest.ask(name)
        highest = max(highest, service.resident_mb)
    for peer in peers:
        peer.cancel()
    await asyncio.gather(*peers, return_exceptions=True)
    _judge_memory(service, name, before, highest, findings)


async def _endure_unread(service: Service, count: int, size: Size, honest: _Honest, findings: Findings) -> None:
    """Each connection asks once for the largest thing there is, and stays open without reading any of it."""
    before = service.resident_mb
    highest = before
    name = f"{count:,} unread answers"
    with ExitStack() as stack:
        for number in range(count):
            peer = stack.enter_context(socket.socket())
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setblocking(False)
            with suppress(OSError):  # the service may have closed it already
                await asyncio.get_running_loop().sock_connect(peer, ("127.0.0.1", service.port))
                peer.send(_LARGEST)
            if number % 250 == 249:
                await honest.ask(name)
                highest = max(highest, service.resident_mb)
        end = asyncio.get_running_loop().time() + size.seconds
        while asyncio.get_running_loop().time() < end:
            await honest.ask(name)
            highest = max(highest, service.resident_mb)
    _judge_memory(service, name, before, highest, findings)


async def _endure_idle(service: Service, count: int, size: Size, honest: _Honest, findings: Findings) -> None:
    before = service.resident_mb
    highest = before
    name = f"{count:,} idle connections"
    files = _files(service)
    with ExitStack() as stack:
        for number in range(count):
            peer = stack.enter_context(socket.socket())
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", service.port))
            if number % 500 == 499:  # no faster than a backlog empties
                await honest.ask(name)
        end = asyncio.get_running_loop().time() + size.seconds
        while asyncio.get_running_loop().time() < end:
            await honest.ask(name)
            highest = max(highest, service.resident_mb)
        if size.waits_for_the_end:
            async with asyncio.timeout(PATIENCE):
                while _files(service) > files + 20:  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(0.5)
            findings.promise("who never asks for anything is closed, though it stays", True)
    _judge_memory(service, name, before, highest, findings)


def _judge_memory(service: Service, name: str, before: float, highest: float, findings: Findings) -> None:
    growth = highest - before
    findings.promise("memory is bounded", growth < GROWTH_MB, f"{name}: from {before:.0f} to {highest:.0f} MB")
    which = "auth" if service.is_auth else "API"
    findings.figures.append(f"{name}, {which}: {before:.0f} → {highest:.0f} MB")


def _files(service: Service) -> int:
    return sum(process.num_fds() for process in service.processes)


async def _repeat(attack: Attack, port: int) -> None:
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            await attack(port)
        await asyncio.sleep(0.05)


async def _half_open(port: int) -> None:
    await _say_and_wait(port, b"POST /token HTTP/1.1\r\nHo")


async def _endless_headers(port: int) -> None:
    await _go_on(port, b"GET /jwks HTTP/1.1\r\nHost: a\r\n", b"X-Header: " + b"x" * 1000 + b"\r\n", pause=0.001)


async def _huge_body(port: int) -> None:
    begin = b"POST /notes HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n"
    await _go_on(port, begin, b"x" * 65536, pause=0.001)


async def _endless_chunks(port: int) -> None:
    begin = (
        b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    await _go_on(port, begin, b"10000\r\n" + b"x" * 65536 + b"\r\n", pause=0.001)


async def _trickle(port: int) -> None:
    begin = (
        b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 60000\r\n\r\n"
    )
    await _go_on(port, begin, b"x", pause=0.2)


async def _never_read(port: int) -> None:
    """Asks for the largest thing there is, again and again, and takes none of it."""
    await _pipe(port, _LARGEST)


async def _queue(port: int) -> None:
    """Thousands of requests in each packet."""
    await _pipe(port, b"GET /healthz HTTP/1.1\r\nHost:a\r\n\r\n" * 1000)


async def _say_and_wait(port: int, begin: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(begin)
        await reader.read(1)
    finally:
        writer.close()


async def _go_on(port: int, begin: bytes, more: bytes, *, pause: float) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(begin)
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(pause)
    finally:
        writer.transport.abort()


async def _pipe(port: int, requests: bytes) -> None:
    """Writes as long as it may, and never reads."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    try:
        while True:
            writer.write(requests)
            await writer.drain()
            await asyncio.sleep(0)
    finally:
        writer.transport.abort()


_ATTACKS: dict[str, Attack] = {
    "half-open requests": _half_open,
    "endless headers": _endless_headers,
    "huge bodies": _huge_body,
    "endless chunks": _endless_chunks,
    "bodies that trickle": _trickle,
    "asking much, reading nothing": _never_read,
    "thousands of requests at once": _queue,
}
