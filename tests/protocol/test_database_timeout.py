"""A request that waits for the database gets 503 after `database_timeout`, and not earlier."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from tallystick_service.store import DEADLINE
from tallystick_service.store.migrations import migrate
from tests.support.auth_service import running_auth_service
from tests.support.notes_api import running_notes_api
from tests.support.patience import PATIENCE

SHORT = 0.5

Ask = Callable[[], Awaitable[httpx.Response]]


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    with psycopg.connect(url) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


async def waits(ask: Ask, url: str, table: str) -> int:
    """The response to a request when the database is slower than the default timeout."""
    with locked(url, table):
        asking = asyncio.ensure_future(ask())
        await asyncio.sleep(DEADLINE + 0.5)
    return (await asking).status_code


@pytest.mark.parametrize(("seconds", "status"), [(SHORT, 503), (PATIENCE, 200)])
async def test_the_auth_service_waits_for_its_configured_timeout(
    auth_postgresql_url: str, seconds: float, status: int
) -> None:
    async with running_auth_service(auth_postgresql_url, database_timeout=seconds) as auth:
        app = auth.relying_party("app-one")
        token = (await app.tokens())["refresh_token"]
        assert await waits(lambda: app.refresh(token), auth_postgresql_url, "token_families") == status
        assert (await app.refresh(token)).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(SHORT, 503), (PATIENCE, 200)])
async def test_the_notes_api_waits_for_its_configured_timeout(postgresql_url: str, seconds: float, status: int) -> None:
    migrate(postgresql_url, "resource_service.migrations")
    async with running_notes_api(postgresql_url, database_timeout=seconds) as api:
        caller = api.caller()
        assert await waits(lambda: caller.get("/notes"), postgresql_url, "notes") == status
        assert (await caller.get("/notes")).status_code == 200


@pytest.mark.parametrize("seconds", [0.49, 61, "inf", "nan"])
async def test_the_timeout_has_bounds(tmp_path: Path, seconds: object) -> None:
    with pytest.raises(ValueError, match="database_timeout"):
        async with running_auth_service(f"sqlite:///{tmp_path}/unused.db", database_timeout=seconds):
            pass
