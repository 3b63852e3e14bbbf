"""Many logins at once succeed, and the others go on meanwhile."""

from tests.faults.holds import holds
from tests.reliability import login_storm
from tests.reliability.site import Site


async def test_many_logins_at_once_succeed_and_the_others_go_on(site: Site) -> None:
    await holds(login_storm, site)
