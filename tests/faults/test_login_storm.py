"""Many logins at once succeed, and the others go on meanwhile."""

from bench.reliability import login_storm
from bench.reliability.site import Site
from tests.faults.holds import holds


async def test_many_logins_at_once_succeed_and_the_others_go_on(site: Site) -> None:
    await holds(login_storm, site)
