"""All scenarios, in the order of the table in docs/reliability.md."""

from tests.reliability.scenario import Scenario
from tests.reliability.scenarios import (
    auth_away,
    clock_jump,
    clock_skew,
    full_disk,
    hostile_issuer,
    hostile_peers,
    key_rotation,
    key_withdrawal,
    kill,
    login_attacks,
    login_storm,
    master_key,
    revocation,
    single_use,
    store_away,
)

SCENARIOS: dict[str, Scenario] = {
    "revocation": revocation,
    "key_rotation": key_rotation,
    "key_withdrawal": key_withdrawal,
    "master_key": master_key,
    "kill": kill,
    "store_away": store_away,
    "full_disk": full_disk,
    "auth_away": auth_away,
    "hostile_issuer": hostile_issuer,
    "single_use": single_use,
    "clock_skew": clock_skew,
    "clock_jump": clock_jump,
    "hostile_peers": hostile_peers,
    "login_storm": login_storm,
    "login_attacks": login_attacks,
}

TESTED = (("kill", "sqlite"), ("single_use", "postgresql"))
"""Scenarios and stores of which `make test` runs the short form (test_scenarios.py). The quick pass runs all others."""

KEYS = ("key_rotation", "key_withdrawal", "master_key")
LOADS = ("login_storm", "auth_away", "revocation", "single_use", "kill")
"""Scenarios whose short forms share a deployment for each store, in an order that restarts few of its services."""
