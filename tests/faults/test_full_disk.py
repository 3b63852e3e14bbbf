"""A full disk refuses writes and harms nothing else."""

from bench.reliability import full_disk
from bench.reliability.site import Site
from tests.faults.holds import holds


async def test_a_full_disk_puts_writes_off_and_corrupts_nothing(site: Site) -> None:
    await holds(full_disk, site)
