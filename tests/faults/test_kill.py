"""A serving process that is killed loses nothing it acknowledged, and does nothing twice."""

import pytest

from bench.reliability import kill
from bench.reliability.site import Site
from tests.faults.holds import holds


@pytest.mark.parametrize("engine", kill.ENGINES)
async def test_what_was_acknowledged_outlives_a_kill_and_happens_once(site: Site, engine: str) -> None:
    await holds(kill, site)
