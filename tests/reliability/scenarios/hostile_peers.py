"""Slow and hostile peers at both services; well-behaved clients must not notice them."""

import asyncio
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from tallystick_service.server.file_limit import raise_file_limit
from tests.reliability.configuration import EMAILS
from tests.reliability.connection_attacks import ATTACKS, LARGEST_ASSET, Attack, repeat
from tests.reliability.deployment import Deployment
from tests.reliability.raw_http import NoResponse
from tests.reliability.report import Outcome, Report
from tests.reliability.service import WAIT_TIMEOUT, Service
from tests.reliability.user_agent import UnexpectedResponse, bearer

ENGINES = ("sqlite",)
MAX_GROWTH_MB = 250
"""Of the memory of one process: 4,096 connections, each with its buffers."""


@dataclass(frozen=True)
class Size:
    """`peers` at once, for `seconds` of each attack. `unread` and `idle` are connections that are only held open."""

    peers: int
    seconds: float
    unread: int
    idle: int
    waits_for_close: bool


QUICK = Size(peers=20, seconds=0.5, unread=500, idle=5000, waits_for_close=False)
FULL = Size(peers=200, seconds=12.0, unread=3500, idle=10_000, waits_for_close=True)


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    (auth,), (api,) = await deployment.run_auth_services(), await deployment.run_apis()
    clients = _Clients(deployment, api, report)
    await clients.prepare()
    open_files = raise_file_limit(size.idle + 1000)
    idle = min(size.idle, open_files - 1000)
    for name, attack in ATTACKS.items():
        for service in (auth, api):
            await _run_attack(service, name, attack, size, clients, report)
    for service in (auth, api):
        await _hold_unread_responses(service, min(size.unread, idle), size, clients, report)
        await _hold_idle_connections(service, idle, size, clients, report)
    report.figures.append(f"{clients.count:,} requests of well-behaved clients meanwhile")
    names = ", ".join(ATTACKS)
    return report.outcome(
        "slow and hostile peers",
        f"{size.peers} at once for {size.seconds:g} s of each: {names}; "
        f"{size.unread:,} connections that request the largest asset and read nothing; {idle:,} idle connections",
    )


class _Clients:
    """Well-behaved clients: some keep their connection, others open a new one for each request."""

    def __init__(self, deployment: Deployment, api: Service, report: Report) -> None:
        self.count = 0
        self._deployment = deployment
        self._api = api
        self._report = report
        self._user = deployment.user_agent(EMAILS[0])
        self._kept_api = deployment.client(api.port)
        self._tokens: dict[str, str] = {}

    async def prepare(self) -> None:
        await self._user.sign_in()
        self._tokens = await self._user.tokens()
        await self.send_requests("no attack")

    async def send_requests(self, during: str) -> None:
        sentence = "well-behaved clients are served, on kept and on new connections"
        new_auth, new_api = self._deployment.client(), self._deployment.client(self._api.port)
        try:
            self._tokens = await self._user.refresh(self._tokens["refresh_token"])
            token = self._tokens["access_token"]
            responses = [
                await self._kept_api.get("/notes", bearer(token)),
                await new_api.get("/notes", bearer(token)),
                await new_auth.get("/jwks"),
                await self._user.authorize(),
            ]
        except (NoResponse, UnexpectedResponse) as error:
            self._report.check(sentence, False, f"{during}: {error}")
            return
        finally:
            new_auth.close()
            new_api.close()
        for response in responses:
            self.count += 1
            self._report.check(sentence, response.status in (200, 303), f"{during}: {response}")

    async def send_requests_for(self, seconds: float, service: Service, during: str) -> float:
        """Return the most memory in MB that the service used meanwhile."""
        highest = service.resident_mb
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await self.send_requests(during)
            highest = max(highest, service.resident_mb)
        return highest


async def _run_attack(
    service: Service, name: str, attack: Attack, size: Size, clients: _Clients, report: Report
) -> None:
    before = service.resident_mb
    peers = [asyncio.create_task(repeat(attack, service.port)) for _ in range(size.peers)]
    highest = await clients.send_requests_for(size.seconds, service, name)
    for peer in peers:
        peer.cancel()
    await asyncio.gather(*peers, return_exceptions=True)
    _check_memory(service, name, before, highest, report)


async def _hold_unread_responses(service: Service, count: int, size: Size, clients: _Clients, report: Report) -> None:
    """Each connection requests the largest asset once, and stays open without reading it."""
    before = service.resident_mb
    highest = before
    name = f"{count:,} unread responses"
    with ExitStack() as stack:
        for number in range(count):
            peer = stack.enter_context(socket.socket())
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setblocking(False)
            with suppress(OSError):  # the service may have closed it already
                await asyncio.get_running_loop().sock_connect(peer, ("127.0.0.1", service.port))
                peer.send(LARGEST_ASSET)
            if number % 250 == 249:
                await clients.send_requests(name)
                highest = max(highest, service.resident_mb)
        highest = max(highest, await clients.send_requests_for(size.seconds, service, name))
    _check_memory(service, name, before, highest, report)


async def _hold_idle_connections(service: Service, count: int, size: Size, clients: _Clients, report: Report) -> None:
    before = service.resident_mb
    name = f"{count:,} idle connections"
    open_files = service.open_files
    with ExitStack() as stack:
        for number in range(count):
            peer = stack.enter_context(socket.socket())
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", service.port))
            if number % 500 == 499:  # let the service accept what is in the backlog
                await clients.send_requests(name)
        highest = await clients.send_requests_for(size.seconds, service, name)
        if size.waits_for_close:
            async with asyncio.timeout(WAIT_TIMEOUT):
                while service.open_files > open_files + 20:  # noqa: ASYNC110 - closed connections send no event
                    await asyncio.sleep(0.5)
            report.check("idle connections are closed", True)
    _check_memory(service, name, before, highest, report)


def _check_memory(service: Service, name: str, before: float, highest: float, report: Report) -> None:
    is_bounded = highest - before < MAX_GROWTH_MB
    report.check("memory is bounded", is_bounded, f"{name}: from {before:.0f} to {highest:.0f} MB")
    service_name = "auth" if service.package == "auth_service" else "API"
    report.figures.append(f"{name}, {service_name}: {before:.0f} → {highest:.0f} MB")
