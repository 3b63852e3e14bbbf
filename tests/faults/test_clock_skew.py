"""Clocks that differ by half a minute do no harm."""

from bench.reliability import clock_skew
from bench.reliability.site import Site
from tests.faults.holds import holds


async def test_half_a_minute_between_two_clocks_does_no_harm(site: Site) -> None:
    await holds(clock_skew, site)
