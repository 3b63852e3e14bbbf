"""A sign-out locks the login session first, a refresh its token family: they must not deadlock."""

import asyncio

import psycopg
import pytest

from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.relying_party import RelyingParty, error_of


@pytest.fixture
def auth_database_url(auth_postgresql_url: str) -> str:
    return auth_postgresql_url


async def test_refresh_during_a_sign_out_does_not_deadlock_and_is_revoked(
    auth: AuthService, rp: RelyingParty, clock: MovableClock
) -> None:
    refresh_token = (await rp.tokens())["refresh_token"]
    clock.advance(seconds=61)  # so that a refresh also writes when the session was last seen
    async with await psycopg.AsyncConnection.connect(auth.settings.database_url) as signing_out:
        ended = await signing_out.execute("UPDATE login_sessions SET ended_at = 1 RETURNING sid")
        (sid,) = await ended.fetchone() or ("",)
        refreshed = await asyncio.wait_for(rp.refresh(refresh_token), 30)
        assert refreshed.status_code == 200
        await signing_out.execute("UPDATE token_families SET revoked_at = 1 WHERE sid = %s", (sid,))
        await signing_out.commit()
    assert error_of(await rp.refresh(refreshed.json()["refresh_token"])) == (400, "invalid_grant")
