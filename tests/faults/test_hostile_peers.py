"""Peers that are slow, or mean no good, take nothing from honest clients."""

from bench.reliability import hostile_peers
from bench.reliability.site import Site
from tests.faults.holds import holds


async def test_honest_clients_are_served_beside_hostile_peers(site: Site) -> None:
    await holds(hostile_peers, site)
