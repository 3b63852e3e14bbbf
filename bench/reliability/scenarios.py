"""All of them, in the order of the table."""

from bench.reliability import (
    auth_away,
    clock_jump,
    clock_skew,
    full_disk,
    hostile_issuer,
    hostile_peers,
    kill,
    login_storm,
    revocation,
    single_use,
    store_away,
)
from bench.reliability.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    "revocation": revocation,
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
}
