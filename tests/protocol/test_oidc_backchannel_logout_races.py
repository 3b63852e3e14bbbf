"""A sign-out that runs concurrently with a new code or with the deletion of a client.

On PostgreSQL, where units of work run concurrently; SQLite has one writer and cannot show the race.
"""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import Connection, func, select

from auth_service.store.schema import tables as t
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.logout_deliveries import rows
from tests.support.logout_receivers import HOSTS, LogoutReceivers, listening_clients
from tests.support.relying_party import RelyingParty, answer_of, claims_of

_, TWO, _ = HOSTS


@pytest.fixture
def receivers() -> LogoutReceivers:
    return LogoutReceivers()


@pytest.fixture
async def auth(auth_postgresql_url: str, clock: MovableClock, receivers: LogoutReceivers) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_postgresql_url, clock, receivers, client=listening_clients()) as running:
        yield running


def notified_clients(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(t.login_session_clients)).scalar_one()


async def test_a_client_with_a_code_issued_during_a_sign_out_is_notified_and_the_code_is_void(
    auth: AuthService, receivers: LogoutReceivers
) -> None:
    for _ in range(12):
        rp = auth.relying_party("no-refresh")
        two = auth.relying_party("app-two", rp.browser)
        id_token = (await rp.tokens())["id_token"]
        before = len(receivers.sids(TWO))
        cookies = dict(rp.browser.http.cookies)
        requests = [asyncio.create_task(code_with_cookies(auth, cookies)) for _ in range(4)]
        await rp.browser.open(f"/logout?id_token_hint={id_token}")
        codes = [code for task in requests if (code := await task) is not None]
        for code in codes:
            assert (await two.token(code)).status_code == 400
        if codes:
            assert claims_of(id_token)["sid"] in [claims["sid"] for claims in await receivers.told(TWO, before + 1)]


async def code_with_cookies(auth: AuthService, cookies: dict[str, str]) -> str | None:
    two = auth.relying_party("app-two")
    two.browser.http.cookies.update(cookies)
    location = (await two.authorize(prompt="none")).headers.get("location", "")
    return location.partition("code=")[2].partition("&")[0] or None


async def test_no_code_is_issued_when_a_sign_out_commits_first(auth: AuthService, rp: RelyingParty) -> None:
    await rp.sign_in(client_id="no-refresh", redirect_uri="https://no-refresh.example.org/callback")
    async with await psycopg.AsyncConnection.connect(auth.settings.database_url) as signing_out:
        await signing_out.execute("UPDATE login_sessions SET ended_at = 1")
        request = asyncio.create_task(rp.authorize(prompt="none"))
        await asyncio.sleep(0.3)
        assert not request.done()
        await signing_out.commit()
    assert answer_of(await request)["error"] == "login_required"
    assert await auth.store.read(notified_clients) == 0


async def test_a_sign_out_succeeds_during_the_deletion_of_a_client(auth: AuthService, rp: RelyingParty) -> None:
    id_token = (await rp.tokens())["id_token"]
    await auth.relying_party("app-two", rp.browser).tokens()
    async with await psycopg.AsyncConnection.connect(auth.settings.database_url) as deleting:
        await deleting.execute("DELETE FROM clients WHERE client_id = 'app-two'")
        sign_out = asyncio.create_task(rp.browser.open(f"/logout?id_token_hint={id_token}"))
        await asyncio.sleep(0.3)
        assert not sign_out.done()
        await deleting.commit()
    assert "You are signed out" in (await sign_out).text
    assert {row.client_id for row in await auth.store.read(rows)} <= {"app-one"}
