"""Peers that are slow, or mean no good, take nothing from honest clients."""

from tests.faults.holds import holds
from tests.reliability import hostile_peers
from tests.reliability.site import Site


async def test_honest_clients_are_served_beside_hostile_peers(site: Site) -> None:
    await holds(hostile_peers, site)
