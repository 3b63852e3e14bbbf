"""The short form of a scenario, as a test: what is promised is asked for, and how long it took is not."""

import pytest

from tests.reliability.scenario import Impossible, Scenario
from tests.reliability.site import Site


async def holds(scenario: Scenario, site: Site) -> None:
    try:
        outcome = await scenario.run(site, scenario.QUICK)
    except Impossible as reason:
        pytest.skip(str(reason))
    assert outcome.held, f"{outcome.words}\n{site.logs()}"
