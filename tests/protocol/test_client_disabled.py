"""Codes of a client or user that was disabled or changed stay void when it is enabled again."""

import asyncio
import json
from collections.abc import AsyncIterator

import psycopg
import pytest

from auth_service.configuration.configuration_file import apply
from auth_service.store.clients import clients
from auth_service.store.users import consents, users
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.declared import EMAIL, declared_settings
from tests.support.relying_party import RelyingParty, answer_of, error_of

pytestmark = pytest.mark.postgresql


async def test_a_code_issued_before_its_client_was_disabled_is_void_when_it_is_enabled_again(
    auth: AuthService, rp: RelyingParty
) -> None:
    code = await rp.authorization_code()
    await auth.store.write(clients.disable_client, "app-one", by="command", now=auth.clock())
    await auth.store.write(clients.enable_client, "app-one", by="command", now=auth.clock())
    assert error_of(await rp.token(code)) == (400, "invalid_grant")
    assert (await rp.token(await rp.authorization_code())).status_code == 200


async def test_a_code_issued_before_its_user_was_disabled_is_void_when_the_user_is_enabled_again(
    auth: AuthService, rp: RelyingParty
) -> None:
    code = await rp.authorization_code()
    sub = await auth.store.read(users.find_sub, EMAIL)
    assert sub
    await auth.store.write(users.disable_user, sub, by="command", now=auth.clock())
    await auth.store.write(users.enable_user, sub, by="command", now=auth.clock())
    assert error_of(await rp.token(code)) == (400, "invalid_grant")


async def test_a_code_is_void_when_the_configuration_changes_its_client(auth: AuthService, rp: RelyingParty) -> None:
    declared = [client.model_dump(exclude_none=True) for client in auth.settings.client]
    for client in declared:
        if client["client_id"] == "app-one":
            client["scope"] = "openid"
    code, other = await rp.authorization_code(), await auth.relying_party("app-two").authorization_code()
    await apply(auth.store, declared_settings(auth.settings.database_url, client=declared), auth.clock)
    assert error_of(await rp.token(code)) == (400, "invalid_grant")
    assert (await auth.relying_party("app-two").token(other)).status_code == 200


@pytest.fixture
async def on_postgresql(auth_postgresql_url: str) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_postgresql_url) as running:
        yield running


@pytest.mark.parametrize(
    ("statement", "answer"),
    [
        ("UPDATE clients SET disabled_at = 1 WHERE client_id = 'third-party'", "page"),
        ("UPDATE clients SET metadata = '{metadata}' WHERE client_id = 'third-party'", "invalid_scope"),
        ("DELETE FROM consents", "consent_required"),
    ],
    ids=["client disabled", "scope taken away", "consent withdrawn"],
)
async def test_an_authorization_request_is_decided_again_when_its_basis_changes_before_the_code_is_stored(
    on_postgresql: AuthService, statement: str, answer: str
) -> None:
    """The change is a transaction of the test, which holds the locks that the real unit of work takes."""
    rp = on_postgresql.relying_party("third-party")
    await rp.authorization_code()
    client = await on_postgresql.store.read(clients.find_client, "third-party")
    assert client
    metadata = client.basis | {"scope": "profile", "post_logout_redirect_uris": []}
    async with await psycopg.AsyncConnection.connect(on_postgresql.settings.database_url) as changing:
        await changing.execute("SELECT FROM users FOR UPDATE")
        await changing.execute(statement.replace("{metadata}", json.dumps(metadata)))
        request = asyncio.create_task(rp.authorize(prompt="none"))
        await is_waiting_for_a_lock(on_postgresql.settings.database_url)
        await changing.commit()
    response = await request
    if answer == "page":
        assert (response.status_code, "We do not know this app" in response.text) == (400, True)
    else:
        assert answer_of(response)["error"] == answer


async def is_waiting_for_a_lock(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as looking:
        while not (await (await looking.execute("SELECT FROM pg_locks WHERE NOT granted")).fetchall()):
            await looking.execute("SELECT pg_sleep(0.02)")


async def test_a_code_stored_during_the_withdrawal_of_its_consent_is_void(on_postgresql: AuthService) -> None:
    """The withdrawal has looked for codes already, and waits for the user's row, which is locked by the other unit."""
    rp = on_postgresql.relying_party("third-party")
    code = await rp.authorization_code()
    sub = await on_postgresql.store.read(users.find_sub, EMAIL)
    assert sub
    url = on_postgresql.settings.database_url
    async with await psycopg.AsyncConnection.connect(url) as issuing:
        await issuing.execute("CREATE TEMPORARY TABLE issued AS TABLE authorization_codes")
        await issuing.execute("DELETE FROM authorization_codes")
        await issuing.commit()
        await issuing.execute("SELECT FROM users WHERE sub = %s FOR SHARE", [sub])
        await issuing.execute("INSERT INTO authorization_codes SELECT * FROM issued")
        now = on_postgresql.clock()
        withdrawing = asyncio.create_task(
            on_postgresql.store.write(consents.withdraw_consent, sub, "third-party", now=now)
        )
        await is_waiting_for_a_lock(url)
        await issuing.commit()
    assert await withdrawing
    assert error_of(await rp.token(code)) == (400, "invalid_grant")
