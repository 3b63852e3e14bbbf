"""A site of real processes for each test, on the stores that the test names."""

from collections.abc import AsyncIterator

import pytest

from tests.reliability.site import Site
from tests.reliability.site import site as running_site
from tests.support.postgres import PostgreSQL


@pytest.fixture
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """On the store that the test's parameter `engine` names; SQLite where it has none."""
    engine = request.getfixturevalue("engine") if "engine" in request.fixturenames else "sqlite"
    postgresql: PostgreSQL | None = request.getfixturevalue("postgresql") if engine == "postgresql" else None
    async with running_site(engine, postgresql=postgresql) as place:
        yield place
