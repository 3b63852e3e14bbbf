"""Clocks that differ by half a minute do no harm."""

from tests.faults.holds import holds
from tests.reliability import clock_skew
from tests.reliability.site import Site


async def test_half_a_minute_between_two_clocks_does_no_harm(site: Site) -> None:
    await holds(clock_skew, site)
