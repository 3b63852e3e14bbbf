"""A revocation reaches every API."""

import pytest

from bench.reliability import revocation
from bench.reliability.site import Site
from tests.faults.holds import holds


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_what_is_taken_back_is_refused_by_every_api(site: Site, engine: str) -> None:
    await holds(revocation, site)
