"""The master key is replaced while everything runs."""

from bench.reliability import keys
from bench.reliability.outcome import Findings, Outcome
from bench.reliability.site import Site

ENGINES = ("sqlite", "postgresql")
QUICK = FULL = None


async def run(site: Site, _size: None) -> Outcome:
    """On a site of its own; of this one only the kind of store is taken."""
    findings = Findings()
    await keys.master_key(site.engine, findings)
    return findings.outcome(
        "another master key",
        "put beside the old one, made the first, all sealed anew, the old one taken away; under load",
    )
