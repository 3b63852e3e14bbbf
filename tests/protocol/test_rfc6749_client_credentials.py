"""The client credentials grant (RFC 6749 §4.4): a program acts for itself."""

import asyncio

import pytest

from auth_service.store.tokens import revocations
from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import CALENDAR, ISSUER, NOTES
from tests.support.relying_party import RelyingParty, claims_of, error_of
from tests.support.status_lists import provider_of


@pytest.fixture
def bot(auth: AuthService) -> RelyingParty:
    return auth.relying_party("bot")


async def test_a_client_is_its_own_subject(bot: RelyingParty) -> None:
    response = await bot.client_credentials()
    assert response.status_code == 200
    claims = claims_of(response.json()["access_token"])
    assert (claims["sub"], claims["client_id"], claims["aud"]) == ("bot", "bot", NOTES)
    assert "auth_time" not in claims
    assert "roles" not in claims


async def test_there_is_nothing_but_an_access_token(bot: RelyingParty) -> None:
    tokens = (await bot.client_credentials()).json()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope"}


async def test_without_a_scope_it_gets_all_that_it_is_registered_for(bot: RelyingParty) -> None:
    assert (await bot.client_credentials()).json()["scope"] == "notes:read notes:write"


async def test_it_gets_the_scope_that_it_asks_for(bot: RelyingParty) -> None:
    tokens = (await bot.client_credentials(scope="notes:read")).json()
    assert tokens["scope"] == claims_of(tokens["access_token"])["scope"] == "notes:read"


async def test_scopes_of_two_apis_need_a_resource(auth: AuthService) -> None:
    bot = auth.relying_party("bot-of-two")
    assert error_of(await bot.client_credentials()) == (400, "invalid_target")
    assert error_of(await bot.client_credentials(scope="notes:read calendar:read")) == (400, "invalid_target")
    for resource, scope in ((NOTES, "notes:read"), (CALENDAR, "calendar:read")):
        tokens = (await bot.client_credentials(resource=resource)).json()
        assert tokens["scope"] == scope
        assert claims_of(tokens["access_token"])["aud"] == resource


@pytest.mark.parametrize(
    "scope", ["openid", "openid notes:read", "offline_access", "profile notes:read", "calendar:read"]
)
async def test_a_scope_that_is_not_for_it_is_refused(bot: RelyingParty, scope: str) -> None:
    assert error_of(await bot.client_credentials(scope=scope)) == (400, "invalid_scope")


@pytest.mark.parametrize("resource", [CALENDAR + "/x", "https://elsewhere.example.com", "not a uri", [NOTES, CALENDAR]])
async def test_a_resource_that_is_not_known_is_refused(bot: RelyingParty, resource: str | list[str]) -> None:
    assert error_of(await bot.client_credentials(resource=resource)) == (400, "invalid_target")


@pytest.mark.parametrize("resource", [CALENDAR, ISSUER])
async def test_a_resource_of_which_it_may_have_no_scope_is_refused(bot: RelyingParty, resource: str) -> None:
    assert error_of(await bot.client_credentials(resource=resource)) == (400, "invalid_target")
    assert error_of(await bot.client_credentials(resource=resource, scope="notes:read")) == (400, "invalid_target")


async def test_a_client_without_scopes_of_an_api_gets_none(auth: AuthService) -> None:
    assert error_of(await auth.relying_party("idle-bot").client_credentials()) == (400, "invalid_scope")


async def test_a_client_that_is_not_registered_for_it_may_not(auth: AuthService) -> None:
    assert error_of(await auth.relying_party("app-one").client_credentials()) == (400, "unauthorized_client")


async def test_revoking_one_of_its_tokens_ends_all_and_the_next_is_of_a_new_family(bot: RelyingParty) -> None:
    one, other = [(await bot.client_credentials()).json()["access_token"] for _ in range(2)]
    assert (await bot.revoke(one)).status_code == 200
    assert (await bot.introspect(other)).json() == {"active": False}
    new = (await bot.client_credentials()).json()["access_token"]
    assert (await bot.introspect(new)).json()["active"] is True


async def test_many_first_requests_at_once_are_of_one_family(bot: RelyingParty) -> None:
    responses = await asyncio.gather(*(bot.client_credentials() for _ in range(30)))
    tokens = [response.json()["access_token"] for response in responses]
    assert len({claims_of(token)["jti"] for token in tokens}) == 30
    await bot.revoke(tokens[0])
    for token in tokens[1:5]:
        assert (await bot.introspect(token)).json() == {"active": False}


async def test_a_service_that_runs_for_years_always_gets_live_tokens(bot: RelyingParty, clock: MovableClock) -> None:
    for _ in range(12):
        token = (await bot.client_credentials()).json()["access_token"]
        assert (await bot.introspect(token)).json()["active"] is True
        clock.advance(seconds=30 * 86_400)


async def test_a_family_that_is_revoked_while_it_is_looked_up_gives_no_more_tokens(auth: AuthService) -> None:
    client_families = provider_of(auth).client_families
    await client_families.get_or_create("bot")
    auth.clock.advance(seconds=1)
    looking = asyncio.create_task(client_families.get_or_create("bot"))
    await asyncio.sleep(0)  # it has found nothing in memory, and asks the store
    client_families.forget("bot")
    found = await looking
    assert found
    await auth.store.write(revocations.revoke_family, found.family_id, now=auth.clock())
    fresh = await client_families.get_or_create("bot")
    assert fresh
    assert fresh.family_id != found.family_id
