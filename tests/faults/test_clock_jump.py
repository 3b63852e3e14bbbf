"""A clock that jumps back takes nobody back in time."""

from tests.faults.holds import holds
from tests.reliability import clock_jump
from tests.reliability.site import Site


async def test_nothing_is_dated_before_the_newest_instant_in_the_store(site: Site) -> None:
    await holds(clock_jump, site)
