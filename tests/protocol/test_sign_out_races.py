"""Sign-out concurrent with redemption and refresh: no token family outlives its login session.

On PostgreSQL, where units of work run concurrently. SQLite has one writer, so the race does not occur.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection, select

from auth_service.store.schema.tables import login_sessions, token_families
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.relying_party import RelyingParty

ROUNDS = 12


@pytest.fixture
async def auth(auth_postgresql_url: str) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_postgresql_url) as running:
        yield running


def live_families_of_ended_logins(connection: Connection) -> list[Any]:
    query = select(token_families.c.family_id).join(login_sessions, login_sessions.c.sid == token_families.c.sid)
    ended = login_sessions.c.ended_at.is_not(None)
    return list(connection.execute(query.where(ended, token_families.c.revoked_at.is_(None))))


def signed_out(connection: Connection) -> int:
    return len(list(connection.execute(select(login_sessions).where(login_sessions.c.ended_at.is_not(None)))))


async def test_no_token_family_outlives_its_login_session(auth: AuthService) -> None:
    for _ in range(ROUNDS):
        rp = auth.relying_party("app-one")
        issued = [await rp.tokens() for _ in range(3)]
        codes = [await rp.authorization_code() for _ in range(3)]
        await asyncio.gather(
            *(rp.token(code) for code in codes[:2]),
            *(rp.refresh(tokens["refresh_token"]) for tokens in issued[:2]),
            _sign_out(rp, issued[0]["id_token"]),
            rp.token(codes[2]),
            rp.refresh(issued[2]["refresh_token"]),
            rp.authorize(),
        )
    assert await auth.store.read(signed_out) == ROUNDS
    assert await auth.store.read(live_families_of_ended_logins) == []


async def _sign_out(rp: RelyingParty, id_token: str) -> None:
    assert "You are signed out" in (await rp.browser.open(f"/logout?id_token_hint={id_token}")).text


async def test_tokens_issued_during_a_sign_out_are_revoked(auth: AuthService) -> None:
    for _ in range(ROUNDS):
        rp = auth.relying_party("app-one")
        tokens = await rp.tokens()
        codes = [await rp.authorization_code() for _ in range(4)]
        redeeming = [asyncio.create_task(rp.token(code)) for code in codes]
        refreshing = asyncio.create_task(rp.refresh(tokens["refresh_token"]))
        await _sign_out(rp, tokens["id_token"])
        answers = [await task for task in (*redeeming, refreshing)]
        for answer in answers:
            assert answer.status_code in (200, 400)
            if answer.status_code == 200:
                assert (await rp.userinfo(answer.json()["access_token"])).status_code == 401
                assert (await rp.refresh(answer.json()["refresh_token"])).status_code == 400
