"""The client credentials grant (RFC 6749 §4.4): a client acts for itself."""

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


async def test_sub_is_the_client_id(bot: RelyingParty) -> None:
    response = await bot.client_credentials()
    assert response.status_code == 200
    claims = claims_of(response.json()["access_token"])
    assert (claims["sub"], claims["client_id"], claims["aud"]) == ("bot", "bot", NOTES)
    assert "auth_time" not in claims
    assert "roles" not in claims


async def test_the_response_has_no_refresh_token_and_no_id_token(bot: RelyingParty) -> None:
    tokens = (await bot.client_credentials()).json()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope"}


async def test_without_a_scope_the_client_gets_all_its_registered_scopes(bot: RelyingParty) -> None:
    assert (await bot.client_credentials()).json()["scope"] == "notes:read notes:write"


async def test_the_client_gets_the_requested_scope(bot: RelyingParty) -> None:
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
async def test_an_openid_scope_or_an_unregistered_scope_is_refused(bot: RelyingParty, scope: str) -> None:
    assert error_of(await bot.client_credentials(scope=scope)) == (400, "invalid_scope")


@pytest.mark.parametrize("resource", [CALENDAR + "/x", "https://elsewhere.example.com", "not a uri", [NOTES, CALENDAR]])
async def test_an_unknown_resource_is_refused(bot: RelyingParty, resource: str | list[str]) -> None:
    assert error_of(await bot.client_credentials(resource=resource)) == (400, "invalid_target")


@pytest.mark.parametrize("resource", [CALENDAR, ISSUER])
async def test_a_resource_without_a_registered_scope_is_refused(bot: RelyingParty, resource: str) -> None:
    assert error_of(await bot.client_credentials(resource=resource)) == (400, "invalid_target")
    assert error_of(await bot.client_credentials(resource=resource, scope="notes:read")) == (400, "invalid_target")


async def test_a_client_without_api_scopes_is_refused(auth: AuthService) -> None:
    assert error_of(await auth.relying_party("idle-bot").client_credentials()) == (400, "invalid_scope")


async def test_a_client_that_is_not_registered_for_the_grant_is_refused(auth: AuthService) -> None:
    assert error_of(await auth.relying_party("app-one").client_credentials()) == (400, "unauthorized_client")


async def test_revoking_one_token_revokes_all_and_the_next_token_has_a_new_family(bot: RelyingParty) -> None:
    one, other = [(await bot.client_credentials()).json()["access_token"] for _ in range(2)]
    assert (await bot.revoke(one)).status_code == 200
    assert (await bot.introspect(other)).json() == {"active": False}
    new = (await bot.client_credentials()).json()["access_token"]
    assert (await bot.introspect(new)).json()["active"] is True


async def test_concurrent_first_requests_share_one_family(bot: RelyingParty) -> None:
    responses = await asyncio.gather(*(bot.client_credentials() for _ in range(30)))
    tokens = [response.json()["access_token"] for response in responses]
    assert len({claims_of(token)["jti"] for token in tokens}) == 30
    await bot.revoke(tokens[0])
    for token in tokens[1:5]:
        assert (await bot.introspect(token)).json() == {"active": False}


async def test_the_family_is_renewed_before_it_expires(bot: RelyingParty, clock: MovableClock) -> None:
    for _ in range(12):
        token = (await bot.client_credentials()).json()["access_token"]
        assert (await bot.introspect(token)).json()["active"] is True
        clock.advance(seconds=30 * 86_400)


async def test_a_family_that_is_revoked_during_its_lookup_is_not_cached(auth: AuthService) -> None:
    client_families = provider_of(auth).client_families
    await client_families.get_or_create("bot")
    auth.clock.advance(seconds=1)
    lookup = asyncio.create_task(client_families.get_or_create("bot"))
    await asyncio.sleep(0)  # it is not cached, so it is being read from the store
    client_families.forget("bot")
    found = await lookup
    assert found
    await auth.store.write(revocations.revoke_family, found.family_id, now=auth.clock())
    fresh = await client_families.get_or_create("bot")
    assert fresh
    assert fresh.family_id != found.family_id
