"""Attackers at the login page, simulated by another process.

`python -m tests.reliability.login_attackers PORT ISSUER ATTACK CONNECTIONS` prints "ready" when the attack has its
effect, continues until stdin is closed, and then prints the statuses that it received as JSON.
"""

import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Self

import uvloop

from tests.reliability.configuration import EMAILS
from tests.reliability.deployment import Deployment
from tests.reliability.raw_http import NoResponse, RawHTTPClient
from tests.reliability.service import ROOT, WAIT_TIMEOUT
from tests.reliability.user_agent import UserAgent

ADDRESSES = [f"127.0.0.{number}" for number in range(2, 14)]
"""Twelve attacking addresses. Other clients use 127.0.0.1."""
ATTEMPTS_PER_SECOND = 5
"""Attempts of each address at one account."""
ACCOUNT_BURST = 100
"""Attempts at one account, over all addresses, that the auth service admits."""
BYTES_PER_SECOND = 109_000
"""Sent by all connections with hostile usernames together."""

_READY_TIMEOUT = 3 * WAIT_TIMEOUT
_HOSTILE_USERNAME = "\u0315" * 5200 + "\u0334" * 5200
"""Combining marks in an order that makes canonical ordering (Unicode §3.11) swap all of them: quadratic cost."""
_HOSTILE_BYTES = 6 * len(_HOSTILE_USERNAME)  # form-encoded


class LoginAttackers:
    """The process, for its parent."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def start(cls, deployment: Deployment, attack: str, connections: int = len(ADDRESSES)) -> AsyncIterator[Self]:
        """Yield when the attack has its effect."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.reliability.login_attackers"),
            *(str(deployment.port), deployment.issuer, attack, str(connections)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            if await asyncio.wait_for(process.stdout.readline(), _READY_TIMEOUT) != b"ready\n":
                raise RuntimeError(f"the attack {attack} did not begin")
            yield cls(process)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def stop(self) -> Counter[int]:
        """Return the number of responses by status; 0 counts requests without a response."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        statuses = json.loads(await self._process.stdout.readline())
        return Counter({int(status): count for status, count in statuses.items()})


class _Attack:
    def __init__(self, port: int, issuer: str, connections: int) -> None:
        self.connections = connections
        self.statuses: Counter[int] = Counter()
        self._port = port
        self._issuer = issuer

    async def run(self, names: Iterator[str], addresses: list[str], *, interval: float, ready: str) -> None:
        """Open one connection from each of `addresses`. Each waits `interval` seconds between two attempts."""
        tasks = [
            asyncio.create_task(
                self._attempt_logins(names, address, interval, delay=interval * number / len(addresses))
            )
            for number, address in enumerate(addresses)
        ]
        is_ready = _READY[ready]
        while not is_ready(self):  # noqa: ASYNC110 - the counters send no event
            await asyncio.sleep(0.05)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _attempt_logins(self, names: Iterator[str], address: str, interval: float, *, delay: float) -> None:
        http = RawHTTPClient(self._port, timeout=WAIT_TIMEOUT, address=address)
        user_agent = UserAgent(http, self._issuer, EMAILS[0])
        while (page := await user_agent.authorize()).status != 200:  # noqa: ASYNC110 - a retry
            await asyncio.sleep(1)
        await asyncio.sleep(delay)
        while True:
            try:
                status = (await user_agent.submit(page, username=next(names), password="a wrong password")).status
            except NoResponse:
                status = 0
            self.statuses[status] += 1
            await asyncio.sleep(interval)


_READY: dict[str, Callable[[_Attack], bool]] = {
    "after the first response": lambda attack: attack.statuses.total() > 0,
    "when the account is limited": lambda attack: attack.statuses[401] >= ACCOUNT_BURST and attack.statuses[429] > 0,
    "when all connections wait": lambda attack: attack.statuses.total() >= attack.connections,
}


async def _hostile_usernames(attack: _Attack) -> None:
    interval = len(ADDRESSES) * _HOSTILE_BYTES / BYTES_PER_SECOND
    names = itertools.repeat(_HOSTILE_USERNAME)
    await attack.run(names, ADDRESSES, interval=interval, ready="after the first response")


async def _one_account(attack: _Attack) -> None:
    names = itertools.repeat(EMAILS[0])
    await attack.run(names, ADDRESSES, interval=1 / ATTEMPTS_PER_SECOND, ready="when the account is limited")


async def _many_connections(attack: _Attack) -> None:
    names = (f"unknown-{number}@example.com" for number in itertools.count())
    await attack.run(names, ADDRESSES[:1] * attack.connections, interval=0, ready="when all connections wait")


ATTACKS = {
    "hostile usernames": _hostile_usernames,
    "one account": _one_account,
    "many connections": _many_connections,
}


async def _main(port: int, issuer: str, name: str, connections: int) -> None:
    attack = _Attack(port, issuer, connections)
    await ATTACKS[name](attack)
    print(json.dumps(attack.statuses), flush=True)


if __name__ == "__main__":
    os.nice(10)  # real attackers do not take CPU time from the services
    uvloop.run(_main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
