"""Attackers at the login page, from one address and from many, do not keep an honest person out."""

from bench.reliability import login_attacks
from bench.reliability.site import Site
from tests.faults.holds import holds


async def test_attackers_at_the_login_page_do_not_keep_an_honest_person_out(site: Site) -> None:
    await holds(login_attacks, site)
