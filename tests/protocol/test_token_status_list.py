"""Token Status List (draft-ietf-oauth-status-list-21): the next list has every revocation, and nothing else."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection

from auth_service.store.clients import clients
from auth_service.store.users import consents, users
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.declared import EMAIL, ISSUER
from tests.support.registration import relying_party
from tests.support.relying_party import RelyingParty, error_of
from tests.support.status_lists import access_token, fetch, look, next_list, own_token, provider_of, reference_of

pytestmark = pytest.mark.postgresql

URI = f"{ISSUER}/status-lists/1"


# The reference in an access token


async def test_all_access_tokens_of_a_family_have_one_index(auth: AuthService, rp: RelyingParty) -> None:
    first = await rp.tokens()
    second = (await rp.refresh(first["refresh_token"])).json()
    other = await rp.tokens()
    references = [reference_of(tokens["access_token"]) for tokens in (first, second, other)]
    assert references[0] == references[1] != references[2]
    assert {reference["uri"] for reference in references} == {URI}


async def test_a_client_acting_for_itself_has_one_index_until_it_is_revoked(auth: AuthService) -> None:
    bot, other = auth.relying_party("bot"), auth.relying_party("bot-of-two")
    first, second = await own_token(bot), await own_token(bot)
    others = (await other.client_credentials(scope="notes:read")).json()["access_token"]
    assert reference_of(first) == reference_of(second) != reference_of(others)
    await bot.revoke(first)
    third = await own_token(bot)
    assert reference_of(third) != reference_of(first)
    published = await next_list(auth)
    assert [published.is_revoked(token) for token in (first, second, third, others)] == [True, True, False, False]


async def test_indexes_do_not_show_the_order_of_issue(auth: AuthService, rp: RelyingParty) -> None:
    indexes = [reference_of(await access_token(rp))["idx"] for _ in range(12)]
    assert len(set(indexes)) == 12
    assert sorted(indexes) not in (indexes, indexes[::-1])


async def test_access_tokens_of_one_client_share_a_family(auth: AuthService) -> None:
    bot = auth.relying_party("bot")
    tokens = {await own_token(bot) for _ in range(20)}
    assert (len(tokens), len({reference_of(token)["idx"] for token in tokens})) == (20, 1)


# The list


async def test_the_list_has_the_header_and_claims_of_the_specification(auth: AuthService) -> None:
    published = await fetch(auth)
    assert published.header["typ"] == "statuslist+jwt"
    claims = published.claims
    assert set(claims) == {"iss", "sub", "iat", "exp", "ttl", "status_list"}
    assert (claims["iss"], claims["sub"], claims["iat"]) == (ISSUER, URI, auth.clock())
    assert claims["status_list"]["bits"] == 1
    assert claims["exp"] - claims["iat"] >= auth.settings.lifetimes.access_token + 60
    assert (published.size, published.revoked) == (2**17, 0)


async def test_the_metadata_names_the_endpoint_with_the_uri_of_the_list(auth: AuthService) -> None:
    http = auth.http()
    endpoint = (await http.get("/.well-known/openid-configuration")).json()["status_list_aggregation_endpoint"]
    assert (await http.get(endpoint)).json() == {"status_lists": [URI]}


async def test_the_list_may_be_cached_for_a_second_and_read_by_any_origin(auth: AuthService) -> None:
    http = auth.http()
    response = await http.get("/status-lists/1", headers={"Origin": "https://elsewhere.example"})
    assert response.headers["cache-control"] == "public, max-age=1"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "set-cookie" not in response.headers
    again = await http.get("/status-lists/1", headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await next_list(auth)
    auth.clock.advance(seconds=10)
    await look(auth)
    assert (await http.get("/status-lists/1", headers={"If-None-Match": response.headers["etag"]})).status_code == 200


async def test_a_request_for_an_earlier_list_is_answered_501(auth: AuthService) -> None:
    past = await auth.http().get("/status-lists/1?time=1700000000")
    assert past.status_code == 501
    assert past.json() == {"error": "invalid_request", "error_description": "earlier lists are not kept"}
    assert (await auth.http().get("/status-lists/2")).status_code == 404


async def test_a_list_without_changes_is_signed_again_every_ten_seconds(auth: AuthService) -> None:
    first = await fetch(auth)
    auth.clock.advance(seconds=9)
    await look(auth)
    assert (await fetch(auth)).claims["iat"] == first.claims["iat"]
    auth.clock.advance(seconds=1)
    await look(auth)
    assert (await fetch(auth)).claims["iat"] == first.claims["iat"] + 10


async def test_no_two_lists_have_the_same_iat(auth: AuthService, rp: RelyingParty) -> None:
    """Otherwise a verifier could not tell which list is newer, and a cache would keep the older one."""
    one, other = await rp.tokens(), await rp.tokens()
    await rp.revoke(one["access_token"])
    await look(auth)
    before = await fetch(auth)
    await rp.revoke(other["access_token"])
    await look(auth)
    held = await fetch(auth)
    assert held.claims["iat"] > before.claims["iat"] or held.bits == before.bits
    assert (await next_list(auth)).is_revoked(other["access_token"])


async def test_the_list_is_signed_again_when_its_key_is_withdrawn(auth: AuthService) -> None:
    before = await fetch(auth)
    await provider_of(auth).key_ring.withdraw(before.header["kid"])
    after = await next_list(auth)
    assert after.header["kid"] != before.header["kid"]


# What is in the list


Ending = Callable[[AuthService, RelyingParty, str], Awaitable[object]]


async def _sub(auth: AuthService) -> str:
    sub = await auth.store.read(users.find_sub, EMAIL)
    assert sub
    return sub


async def _revoked(auth: AuthService, rp: RelyingParty, token: str) -> None:
    assert (await rp.revoke(token)).status_code == 200


async def _signed_out(auth: AuthService, rp: RelyingParty, token: str) -> None:
    await rp.browser.submit(await rp.browser.open("/logout"))


async def _user_signed_out(auth: AuthService, rp: RelyingParty, token: str) -> None:
    await auth.store.write(users.sign_out_user, await _sub(auth), now=auth.clock())


async def _user_disabled(auth: AuthService, rp: RelyingParty, token: str) -> None:
    await auth.store.write(users.disable_user, await _sub(auth), by="command", now=auth.clock())


async def _password_changed(auth: AuthService, rp: RelyingParty, token: str) -> None:
    await auth.store.write(users.set_password_hash, await _sub(auth), "$argon2id$another", now=auth.clock())


async def _consent_withdrawn(auth: AuthService, rp: RelyingParty, token: str) -> None:
    await auth.store.write(consents.withdraw_consent, await _sub(auth), rp.client_id, now=auth.clock())


async def _client_disabled(auth: AuthService, rp: RelyingParty, token: str) -> None:
    await auth.store.write(clients.disable_client, rp.client_id, by="command", now=auth.clock())


@pytest.mark.parametrize(
    "ending",
    [
        _revoked,
        _signed_out,
        _user_signed_out,
        _user_disabled,
        _password_changed,
        _consent_withdrawn,
        _client_disabled,
    ],
)
async def test_everything_that_revokes_a_family_is_in_the_next_list(auth: AuthService, ending: Ending) -> None:
    rp = auth.relying_party("third-party")
    token = await access_token(rp)
    other = auth.relying_party("app-one")
    await other.browser.sign_in(username="grace@example.com")
    unaffected = await access_token(other)
    assert not (await next_list(auth)).is_revoked(token)
    await ending(auth, rp, token)
    published = await next_list(auth)
    assert published.is_revoked(token)
    assert not published.is_revoked(unaffected)
    assert published.revoked == 1


async def test_a_replayed_code_is_in_the_next_list(auth: AuthService, rp: RelyingParty) -> None:
    code = await rp.authorization_code()
    token = (await rp.token(code)).json()["access_token"]
    assert error_of(await rp.token(code)) == (400, "invalid_grant")
    assert (await next_list(auth)).is_revoked(token)


async def test_a_replayed_refresh_token_is_in_the_next_list(auth: AuthService, rp: RelyingParty) -> None:
    first = await rp.tokens()
    second = (await rp.refresh(first["refresh_token"])).json()
    await rp.refresh(second["refresh_token"])
    assert error_of(await rp.refresh(first["refresh_token"])) == (400, "invalid_grant")
    published = await next_list(auth)
    assert published.is_revoked(first["access_token"])
    assert published.is_revoked(second["access_token"])


async def test_the_tokens_of_a_deleted_registered_client_are_in_the_next_list(auth_database_url: str) -> None:
    async with running_auth_service(auth_database_url, registration={"mode": "open"}) as auth:
        metadata = {
            "redirect_uris": ["https://new.example.org/cb"],
            "scope": "openid",
            "grant_types": ["authorization_code"],
        }
        registered = (await auth.http().post("/register", json=metadata)).json()
        rp = relying_party(auth, registered)
        token = (await rp.tokens(scope="openid"))["access_token"]
        bearer = {"Authorization": f"Bearer {registered['registration_access_token']}"}
        assert (await auth.http().delete(registered["registration_client_uri"], headers=bearer)).status_code == 204
        assert (await next_list(auth)).is_revoked(token)


async def test_a_sign_out_does_not_list_tokens_with_offline_access(auth: AuthService, rp: RelyingParty) -> None:
    token = (await rp.tokens(scope="openid offline_access"))["access_token"]
    await rp.browser.submit(await rp.browser.open("/logout"))
    assert not (await next_list(auth)).is_revoked(token)


async def test_a_failed_unit_of_work_sets_no_bit(auth: AuthService, rp: RelyingParty) -> None:
    token = await access_token(rp)

    def end_and_fail(connection: Connection, sub: str) -> None:
        users.sign_out_user(connection, sub, now=auth.clock())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await auth.store.write(end_and_fail, await _sub(auth))
    assert not (await next_list(auth)).is_revoked(token)
    assert (await rp.userinfo(token)).status_code == 200
