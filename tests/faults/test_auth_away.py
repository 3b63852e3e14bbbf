"""While the auth service is away, APIs go on, and even start."""

from tests.faults.holds import holds
from tests.reliability import auth_away
from tests.reliability.site import Site


async def test_live_tokens_are_believed_while_the_auth_service_is_away(site: Site) -> None:
    await holds(auth_away, site)
