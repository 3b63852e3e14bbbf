"""Attackers at the login page, in a process of their own.

`python -m tests.reliability.login_attackers PORT ISSUER ATTACK CONNECTIONS` says "ready" on stdout when the attack has
its effect, goes on until stdin is closed, and then prints the statuses that it got as JSON.
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

from tests.reliability.declared import PEOPLE
from tests.reliability.person import Person
from tests.reliability.service import PATIENCE, ROOT
from tests.reliability.site import Site
from tests.reliability.wire import Unanswered, Wire

ADDRESSES = [f"127.0.0.{number}" for number in range(2, 14)]
"""Twelve, none of which is the address of the honest callers."""
PER_SECOND = 5
"""Tries of each address at one account."""
ACCOUNT_BURST = 100
"""Tries at one account that are admitted from wherever they come."""
BYTES_PER_SECOND = 109_000
"""Of all connections that send hostile usernames together."""

_UNTIL_READY = 3 * PATIENCE
_HOSTILE = "\u0315" * 5200 + "\u0334" * 5200
"""Combining marks that canonical ordering (Unicode §3.11) has to swap all with one another: it costs the square."""
_HOSTILE_BYTES = 6 * len(_HOSTILE)  # as a form sends it


class LoginAttackers:
    """The process, for the one that started it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def of(cls, site: Site, attack: str, connections: int = len(ADDRESSES)) -> AsyncIterator[Self]:
        """Yields when the attack has its effect."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.reliability.login_attackers"),
            *(str(site.port), site.issuer, attack, str(connections)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            if await asyncio.wait_for(process.stdout.readline(), _UNTIL_READY) != b"ready\n":
                raise RuntimeError(f"the attack {attack} did not begin")
            yield cls(process)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def stop(self) -> Counter[int]:
        """How many answers of which status they got; 0 stands for none."""
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

    async def run(self, names: Iterator[str], addresses: list[str], *, interval: float, is_ready: str) -> None:
        """One connection from each of `addresses`; each sends another try `interval` seconds after the last one."""
        attackers = [
            asyncio.create_task(self._attack(names, address, interval, delay=interval * number / len(addresses)))
            for number, address in enumerate(addresses)
        ]
        ready = _READY[is_ready]
        while not ready(self):  # noqa: ASYNC110 - a condition on numbers, which tell nobody when they rise
            await asyncio.sleep(0.05)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for attacker in attackers:
            attacker.cancel()
        await asyncio.gather(*attackers, return_exceptions=True)

    @property
    def answers(self) -> int:
        return self.statuses.total()

    async def _attack(self, names: Iterator[str], address: str, interval: float, *, delay: float) -> None:
        person = Person(Wire(self._port, patience=PATIENCE, address=address), self._issuer, PEOPLE[0])
        while (page := await person.authorize()).status != 200:  # noqa: ASYNC110 - a retry
            await asyncio.sleep(1)
        await asyncio.sleep(delay)
        while True:
            try:
                status = (await person.submit(page, username=next(names), password="a wrong password")).status
            except Unanswered:
                status = 0
            self.statuses[status] += 1
            await asyncio.sleep(interval)


_READY: dict[str, Callable[[_Attack], bool]] = {
    "at once": lambda attack: attack.answers > 0,
    "when the account is full": lambda attack: attack.statuses[401] >= ACCOUNT_BURST and attack.statuses[429] > 0,
    "when all wait": lambda attack: attack.answers >= attack.connections,
}


async def _hostile_usernames(attack: _Attack) -> None:
    interval = len(ADDRESSES) * _HOSTILE_BYTES / BYTES_PER_SECOND
    await attack.run(itertools.repeat(_HOSTILE), ADDRESSES, interval=interval, is_ready="at once")


async def _one_account(attack: _Attack) -> None:
    names = itertools.repeat(PEOPLE[0])
    await attack.run(names, ADDRESSES, interval=1 / PER_SECOND, is_ready="when the account is full")


async def _many_connections(attack: _Attack) -> None:
    names = (f"nobody-{number}@example.com" for number in itertools.count())
    await attack.run(names, ADDRESSES[:1] * attack.connections, interval=0, is_ready="when all wait")


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
    os.nice(10)  # they would have a machine of their own
    uvloop.run(_main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
