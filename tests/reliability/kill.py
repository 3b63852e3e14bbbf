"""kill -9 of a serving auth service at random moments under load, again and again."""

import asyncio
import random
from dataclasses import dataclass
from statistics import median

from tests.reliability.ledger import compare, compare_store
from tests.reliability.load import Load
from tests.reliability.outcome import Findings, Outcome
from tests.reliability.site import Site

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Size:
    """`seconds`: between which two the moment of a kill is drawn."""

    kills: int
    seconds: tuple[float, float]


QUICK = Size(kills=2, seconds=(0.3, 0.8))
FULL = Size(kills=20, seconds=(0.3, 3.0))


async def run(site: Site, size: Size) -> Outcome:
    findings = Findings()
    service = site.auth_service("--workers", "1" if site.engine == "sqlite" else "2")
    await service.start()
    load = Load(site, findings)
    await load.prepare()
    starts = []
    for _ in range(size.kills):
        load.begin()
        adding = asyncio.create_task(load.add_user())
        await asyncio.sleep(random.uniform(*size.seconds))
        await service.kill()
        await load.end()
        await adding
        starts.append(await service.start())
        await _serves_at_once(site, findings)
        await compare(load.ledger, site, findings)
        load.ledger.settle()
    compare_store(site, findings)
    findings.figures.append(f"restart {median(starts):.1f} s (median) until it listens")
    findings.figures.append(", ".join(f"{count:,} {what}" for what, count in sorted(load.counts.items())))
    return findings.outcome(
        "kill -9 of the auth service", f"{size.kills} times at random moments under load, each time started again"
    )


async def _serves_at_once(site: Site, findings: Findings) -> None:
    answer = await site.wire().get("/readyz")
    findings.promise("the first request after the restart is served", answer.status == 200, answer)
