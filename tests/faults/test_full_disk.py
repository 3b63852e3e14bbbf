"""A full disk refuses writes and harms nothing else."""

from tests.faults.holds import holds
from tests.reliability import full_disk
from tests.reliability.site import Site


async def test_a_full_disk_puts_writes_off_and_corrupts_nothing(site: Site) -> None:
    await holds(full_disk, site)
