"""Attackers at the login page, from one address and from many, do not keep an honest person out."""

from tests.faults.holds import holds
from tests.reliability import login_attacks
from tests.reliability.site import Site


async def test_attackers_at_the_login_page_do_not_keep_an_honest_person_out(site: Site) -> None:
    await holds(login_attacks, site)
