"""A revocation reaches every API."""

import pytest

from tests.faults.holds import holds
from tests.reliability import revocation
from tests.reliability.site import Site


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_what_is_taken_back_is_refused_by_every_api(site: Site, engine: str) -> None:
    await holds(revocation, site)
