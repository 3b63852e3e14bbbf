"""However many ask at once and wherever: a code works once, and a refresh token has one successor."""

import pytest

from tests.faults.holds import holds
from tests.reliability import single_use
from tests.reliability.site import Site


@pytest.mark.parametrize("engine", single_use.ENGINES)
async def test_a_code_works_once_and_a_refresh_token_has_one_successor(site: Site, engine: str) -> None:
    await holds(single_use, site)
