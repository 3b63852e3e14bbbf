"""Signing keys take turns under load."""

from dataclasses import dataclass

from bench.reliability import keys
from bench.reliability.outcome import Findings, Outcome
from bench.reliability.site import Site

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Size:
    count: int


QUICK = Size(count=1)
FULL = Size(count=20)


async def run(site: Site, size: Size) -> Outcome:
    """On a site of its own, with skewed clocks; of this one only the kind of store is taken."""
    findings = Findings()
    await keys.rotations(site.engine, findings, count=size.count)
    return findings.outcome(
        "signing keys take turns",
        f"{size.count} rotations under load, two auth processes and two APIs, clocks up to half a minute apart",
    )
