"""A system clock that was far ahead, and the repair that docs/operation.md describes."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from auth_service.store.schema import timestamps
from tests.support.auth_service import running_auth_service
from tests.support.clock import MovableClock
from tests.support.patience import patient_store
from tests.support.relying_party import claims_of, error_of
from tests.support.status_lists import fetch, look

pytestmark = pytest.mark.postgresql

DOCUMENT = Path(__file__).parents[2] / "docs" / "operation.md"
DAY = 86_400


async def test_two_processes_with_different_clocks_admit_no_more_login_attempts_than_one(
    auth_database_url: str,
) -> None:
    """Each reads the other's status lists, and their dates."""
    ahead = MovableClock()
    ahead.advance(seconds=DAY)
    async with (
        running_auth_service(auth_database_url) as behind,
        running_auth_service(auth_database_url, ahead) as in_front,
    ):
        for auth in (in_front, behind):
            await look(auth)
        attempts = [await auth.browser().sign_in(password="wrong") for _ in range(15) for auth in (in_front, behind)]
    assert [attempt.status_code for attempt in attempts].count(429) == 20


async def test_documented_statements_repair_a_store_dated_in_the_future(auth_database_url: str) -> None:
    (statements,) = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    clock = MovableClock()
    right = clock.now

    def repair(connection: Connection) -> None:
        for statement in filter(str.strip, statements.split(";")):
            connection.execute(text(statement), {"now": right})

    clock.advance(seconds=DAY)
    async with running_auth_service(auth_database_url, clock) as auth:
        app = auth.relying_party("app-one")
        tokens = await app.tokens()
        under_way = await app.authorization_code()
        await auth.browser().sign_in(password="wrong")
    store = patient_store(auth_database_url)
    assert await store.read(timestamps.latest_timestamp) >= right + DAY
    await store.write(repair)
    await store.close()
    clock.now = right + 1
    async with running_auth_service(auth_database_url, clock) as auth:
        assert (await fetch(auth)).claims["iat"] <= right + 2
        app = auth.relying_party("app-one")
        refreshed = (await app.refresh(tokens["refresh_token"])).json()
        access_token = claims_of(refreshed["access_token"])
        assert (access_token["iat"], access_token["auth_time"]) == (right + 1, right)
        assert claims_of(refreshed["id_token"])["auth_time"] == right
        assert error_of(await app.token(under_way)) == (400, "invalid_grant")
        await auth.browser().sign_in()
        clock.advance(seconds=90)  # during which failed logins from before the repair may still count
        assert (await auth.browser().sign_in()).status_code == 200
