"""A registration that changes or is deleted during other requests of its client: no deadlock, and no partial result.

On PostgreSQL, where units of work run concurrently. The test itself holds the transaction of the other unit.
"""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.registration import GOOD, new_client, relying_party


@pytest.fixture
async def op(auth_postgresql_url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_postgresql_url, clock, registration={"mode": "open"}) as running:
        yield running


def bearer(information: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {information['registration_access_token']}"}


async def is_waiting(task: "asyncio.Task[object]") -> bool:
    """Whether the task is blocked, by the lock that the test holds."""
    await asyncio.sleep(0.3)
    return not task.done()


async def test_a_consent_to_a_client_that_is_deleted_concurrently_is_not_stored(op: AuthService) -> None:
    information = await new_client(op)
    rp = relying_party(op, information)
    page = await rp.browser.sign_in(await rp.authorize(scope="openid"))
    async with await psycopg.AsyncConnection.connect(op.settings.database_url) as ending:
        await ending.execute("DELETE FROM clients WHERE client_id = %s", [information["client_id"]])
        allowing = asyncio.create_task(rp.browser.allow(page))
        assert await is_waiting(allowing)
        await ending.commit()
    assert (await allowing).status_code == 403  # "The app has changed"


async def test_a_deletion_waits_for_a_redemption_of_a_code(op: AuthService) -> None:
    """Both lock the code before the client, so they cannot deadlock."""
    information = await new_client(op)
    await relying_party(op, information).authorization_code(scope="openid")
    async with await psycopg.AsyncConnection.connect(op.settings.database_url) as redeeming:
        await redeeming.execute("UPDATE authorization_codes SET redeemed_at = 1")
        uri = information["registration_client_uri"]
        ending = asyncio.create_task(op.http().delete(uri, headers=bearer(information)))
        assert await is_waiting(ending)
        await redeeming.execute("SELECT FROM clients WHERE client_id = %s FOR SHARE NOWAIT", [information["client_id"]])
        await redeeming.commit()
    assert (await ending).status_code == 204


async def test_every_secret_in_the_response_to_an_update_is_valid(op: AuthService) -> None:
    """Of several concurrent updates, those that fail return an error and no secret."""
    information = await new_client(op, token_endpoint_auth_method="none")
    update = GOOD | {"client_id": information["client_id"]}
    http = op.http()
    uri = information["registration_client_uri"]
    answers = await asyncio.gather(*(http.put(uri, json=update, headers=bearer(information)) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    given = [answer.json() for answer in answers if "client_secret" in answer.json()]
    assert len(given) == 1
    assert (await relying_party(op, given[0]).tokens(scope="openid"))["access_token"]
