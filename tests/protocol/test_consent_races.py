"""Codes and consents depend on consents and client metadata, which other processes may change at the same time.

Real processes, two workers on one database. CONSENT_RACE_ROUNDS raises the number of rounds.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, select

from auth_service.store.schema.tables import clients as clients_table
from auth_service.store.schema.tables import consents as consents_table
from auth_service.store.schema.tables import token_families
from auth_service.store.users import consents, users
from tallystick.clock import system_clock
from tallystick_service.store import Store
from tests.support.auth_process import auth_process
from tests.support.declared import EMAIL, declared_settings, declared_toml
from tests.support.patience import patient_store
from tests.support.relying_party import Browser, RelyingParty, answer_of

pytestmark = pytest.mark.postgresql

ISSUER = "http://localhost:8000"
ROUNDS = int(os.environ.get("CONSENT_RACE_ROUNDS", "12"))
CALLBACK = "https://new.example.org/callback"
GOOD: dict[str, Any] = {"client_name": "A new app", "redirect_uris": [CALLBACK], "scope": "openid"}
OTHER_IDENTITIES = (
    {"redirect_uris": [CALLBACK, "https://evil.example.org/callback"]},
    {"client_name": "Your bank"},
    {"token_endpoint_auth_method": "client_secret_post"},
    {"application_type": "native"},
)


@pytest.fixture
def port(auth_database_url: str, tmp_path: Path) -> Iterator[int]:
    config = tmp_path / "tallystick.toml"
    config.write_text(declared_toml(auth_database_url, issuer=ISSUER, registration={"mode": "open"}))
    with auth_process(config, "--workers", "2") as port:
        yield port


@pytest.fixture
async def other_process(auth_database_url: str) -> AsyncIterator[Store]:
    """A second store on the service's database, as a command has it."""
    store = patient_store(auth_database_url)
    yield store
    await store.close()


@pytest.fixture
async def rp(port: int) -> AsyncIterator[RelyingParty]:
    """A third party's client, and a browser in which Ada is signed in. Each request may reach either worker."""
    declared = next(
        client for client in declared_settings("sqlite:///unused").client if client.client_id == "third-party"
    )
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", cookies=CookieJar(), timeout=60, trust_env=False, limits=limits
    ) as http:
        rp = RelyingParty(declared, http, Browser(http, ISSUER))
        await rp.browser.sign_in()
        yield rp


def live_families(connection: Connection, client_id: str) -> int:
    mine = select(token_families).where(token_families.c.client_id == client_id, token_families.c.revoked_at.is_(None))
    return len(connection.execute(mine).all())


def consents_and_metadata(connection: Connection, client_id: str) -> tuple[int, dict[str, Any]]:
    given = connection.execute(select(consents_table).where(consents_table.c.client_id == client_id)).all()
    row = connection.execute(select(clients_table.c.metadata).where(clients_table.c.client_id == client_id))
    return len(given), row.scalar_one()


async def test_a_code_issued_while_the_consent_is_withdrawn_cannot_be_redeemed(
    rp: RelyingParty, other_process: Store
) -> None:
    sub = await other_process.read(users.find_sub, EMAIL)
    assert sub

    async def withdraw(seconds: float) -> None:
        await asyncio.sleep(seconds)
        await other_process.write(consents.withdraw_consent, sub, "third-party", now=int(system_clock()))

    wrong, issued = 0, 0
    for _ in range(ROUNDS):
        await rp.authorization_code()  # the user consents again
        answers, _ = await asyncio.gather(
            asyncio.gather(*(rp.authorize(prompt="none") for _ in range(3))), withdraw(random.uniform(0, 0.014))
        )
        codes = [answer_of(answer)["code"] for answer in answers if "code" in answer_of(answer)]
        issued += len(codes)
        redeemed = [await rp.token(code) for code in codes]
        is_alive = await other_process.read(live_families, "third-party") > 0
        wrong += is_alive or any(answer.status_code == 200 for answer in redeemed)
    print(f"codes beside a withdrawal: {ROUNDS} rounds, {issued} codes issued in time, {wrong} rounds wrong")
    assert wrong == 0


async def test_consent_for_a_client_that_changed_on_the_consent_page_is_not_stored(
    rp: RelyingParty, other_process: Store
) -> None:
    registered = (await rp.http.post("/register", json=GOOD)).json()
    rp.client_id, rp.client_secret = registered["client_id"], registered["client_secret"]
    rp.redirect_uri = CALLBACK
    own = {"Authorization": f"Bearer {registered['registration_access_token']}"}

    async def change(seconds: float, **changes: Any) -> None:
        await asyncio.sleep(seconds)
        metadata = GOOD | {"client_id": rp.client_id} | changes
        answer = await rp.http.put(f"/register/{rp.client_id}", json=metadata, headers=own)
        assert answer.status_code == 200, answer.text

    async def allow(seconds: float, page: httpx.Response) -> httpx.Response:
        await asyncio.sleep(seconds)
        return await rp.browser.allow(page)

    wrong, allowed = 0, 0
    for number in range(ROUNDS):
        page = await rp.authorize(scope="openid")
        while 'id="allow"' not in page.text:  # the other worker may still have the old client in its cache
            await asyncio.sleep(0.1)
            page = await rp.authorize(scope="openid")
        changes = OTHER_IDENTITIES[number % len(OTHER_IDENTITIES)]
        answer, _ = await asyncio.gather(
            allow(random.uniform(0, 0.02), page), change(random.uniform(0, 0.02), **changes)
        )
        code = answer_of(answer).get("code") if answer.status_code == 303 else None
        allowed += code is not None
        stored, metadata = await other_process.read(consents_and_metadata, rp.client_id)
        is_redeemed = code is not None and (await rp.token(code)).status_code == 200
        wrong += is_redeemed or (stored > 0 and any(metadata.get(name) != GOOD.get(name) for name in changes))
        await change(0)
    print(f"consents beside a change: {ROUNDS} rounds, {allowed} allowed in time, {wrong} rounds wrong")
    assert wrong == 0
