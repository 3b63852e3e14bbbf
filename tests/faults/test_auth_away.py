"""While the auth service is away, APIs go on, and even start."""

from bench.reliability import auth_away
from bench.reliability.site import Site
from tests.faults.holds import holds


async def test_live_tokens_are_believed_while_the_auth_service_is_away(site: Site) -> None:
    await holds(auth_away, site)
