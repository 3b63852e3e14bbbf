"""A signing key was stolen, and is withdrawn."""

from dataclasses import dataclass

from bench.reliability import keys
from bench.reliability.outcome import Findings, Outcome
from bench.reliability.site import Site

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Size:
    count: int


QUICK = Size(count=1)
FULL = Size(count=8)


async def run(site: Site, size: Size) -> Outcome:
    """On a site of its own, with skewed clocks; of this one only the kind of store is taken."""
    findings = Findings()
    await keys.withdrawal(site.engine, findings, count=size.count)
    return findings.outcome(
        "a signing key was stolen",
        f"withdrawn, {size.count} times, while APIs remember its tokens; two auth processes and two APIs",
    )
