"""All of them, in the order of the table."""

from bench.reliability import kill
from bench.reliability.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {"kill": kill}
