"""Signing keys take turns under load."""

import asyncio
from dataclasses import dataclass

from tests.reliability.outcome import Findings, Outcome
from tests.reliability.service import PATIENCE
from tests.reliability.site import Site
from tests.reliability.traffic import Traffic
from tests.reliability.two_of_each import TwoOfEach

ENGINES = ("sqlite", "postgresql")
AHEAD = 10
"""Seconds that a key is published before it signs: the shortest that can be set."""


@dataclass(frozen=True)
class Size:
    count: int


QUICK = Size(count=1)
FULL = Size(count=20)


async def run(site: Site, size: Size) -> Outcome:
    findings = Findings()
    traffic = Traffic(await TwoOfEach.start(site, signing_key_ahead=AHEAD))
    async with traffic.going_on():
        for _ in range(size.count):
            async with asyncio.timeout(PATIENCE):
                await _rotate(site, traffic)
    traffic.tell(findings)
    return findings.outcome(
        "signing keys take turns",
        f"{size.count} rotations under load, two auth processes and two APIs, clocks up to half a minute apart",
    )


async def _rotate(site: Site, traffic: Traffic) -> None:
    """Return when a new key has signed. By our clock the last one may wait still, which a process ahead has used."""
    while not (said := await site.command("keys", "rotate")).startswith("published"):  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    kid = said.split()[1]
    while kid not in traffic.kids:  # noqa: ASYNC110 - the load tells nobody
        await asyncio.sleep(0.1)
