"""A serving process that is killed loses nothing it acknowledged, and does nothing twice."""

import pytest

from tests.faults.holds import holds
from tests.reliability import kill
from tests.reliability.site import Site


@pytest.mark.parametrize("engine", kill.ENGINES)
async def test_what_was_acknowledged_outlives_a_kill_and_happens_once(site: Site, engine: str) -> None:
    await holds(kill, site)
