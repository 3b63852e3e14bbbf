"""Whatever stands where the keys should be, the last good keys stay."""

from bench.reliability import hostile_issuer
from bench.reliability.site import Site
from tests.faults.holds import holds


async def test_the_last_good_keys_stay_and_one_warning_is_logged(site: Site) -> None:
    await holds(hostile_issuer, site)
