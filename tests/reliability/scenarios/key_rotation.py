"""Signing keys are rotated under load."""

import asyncio
from dataclasses import dataclass

from tests.reliability.deployment import Deployment
from tests.reliability.key_traffic import KeyTraffic
from tests.reliability.report import Outcome, Report
from tests.reliability.service import WAIT_TIMEOUT

ENGINES = ("sqlite", "postgresql")
AHEAD = 10
"""Seconds for which a key is published before it signs: the configurable minimum."""


@dataclass(frozen=True)
class Size:
    """`count` rotations. `pause`: seconds between two requests of each client."""

    count: int
    pause: float


QUICK = Size(count=1, pause=0.2)
FULL = Size(count=20, pause=0.02)


async def run(deployment: Deployment, size: Size) -> Outcome:
    report = Report()
    replicas = await deployment.run_replicas(signing_key_ahead=AHEAD)
    traffic = KeyTraffic(deployment, replicas, pause=size.pause)
    rotated: set[str] = set()
    async with traffic.running():
        for _ in range(size.count):
            async with asyncio.timeout(WAIT_TIMEOUT):
                rotated.add(await _rotate(deployment, traffic))
    traffic.summarize(report)
    unknown = traffic.kids - rotated
    report.check("only the first key and the rotated ones sign", len(unknown) <= 1, unknown)
    return report.outcome(
        "signing key rotation",
        f"{size.count} rotations under load, two auth processes and two APIs, clocks up to half a minute apart",
    )


async def _rotate(deployment: Deployment, traffic: KeyTraffic) -> str:
    """Return the kid of a new key when it has signed.

    The command refuses while the previous key waits by the machine's clock; a process whose clock is ahead already
    signs with it.
    """
    while not (output := await deployment.command("keys", "rotate")).startswith("published"):  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    kid = output.split()[1]
    while kid not in traffic.kids:  # noqa: ASYNC110 - the set sends no event
        await asyncio.sleep(0.1)
    return kid
