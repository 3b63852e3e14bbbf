"""A PostgreSQL that is gone is told to those who need it, noticed by nobody else, and found again by itself."""

from tests.faults.holds import holds
from tests.reliability import store_away
from tests.reliability.site import site


async def test_who_needs_a_dead_database_is_put_off_and_nobody_else_notices() -> None:
    async with site("postgresql") as place:  # with a server of its own, which can be killed
        await holds(store_away, place)
