"""Whatever stands where the keys should be, the last good keys stay."""

from tests.faults.holds import holds
from tests.reliability import hostile_issuer
from tests.reliability.site import Site


async def test_the_last_good_keys_stay_and_one_warning_is_logged(site: Site) -> None:
    await holds(hostile_issuer, site)
