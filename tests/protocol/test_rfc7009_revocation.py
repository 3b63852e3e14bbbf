"""Token revocation (RFC 7009): either kind of token takes its whole family along."""

import pytest

from tests.support.auth_service import AuthService
from tests.support.relying_party import RelyingParty, error_of

pytestmark = pytest.mark.postgresql


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "something_else"])
async def test_either_kind_ends_the_family_whatever_the_hint(rp: RelyingParty, kind: str, hint: str | None) -> None:
    tokens = await rp.tokens()
    response = await rp.revoke(tokens[kind], token_type_hint=hint)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["cache-control"] == "no-store"
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


async def test_a_rotated_refresh_token_ends_it_too(rp: RelyingParty) -> None:
    old = await rp.tokens()
    new = (await rp.refresh(old["refresh_token"])).json()
    assert (await rp.revoke(old["refresh_token"])).status_code == 200
    assert error_of(await rp.refresh(new["refresh_token"])) == (400, "invalid_grant")


async def test_an_expired_access_token_ends_it_too(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    auth.clock.advance(seconds=3600)
    assert (await rp.revoke(tokens["access_token"])).status_code == 200
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


async def test_only_that_family_ends(auth: AuthService, rp: RelyingParty) -> None:
    one, other = await rp.tokens(), await rp.tokens()
    two = auth.relying_party("app-two", rp.browser)
    twos = await two.tokens()
    await rp.revoke(one["access_token"])
    assert (await rp.userinfo(other["access_token"])).status_code == 200
    assert (await two.userinfo(twos["access_token"])).status_code == 200


@pytest.mark.parametrize("token", ["unknown", "un.kno.wn", "A" * 71, "é", "."])
async def test_what_is_unknown_is_as_good_as_revoked(rp: RelyingParty, token: str) -> None:
    assert (await rp.revoke(token)).status_code == 200


async def test_twice_is_no_error(rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    for kind in ("access_token", "refresh_token", "access_token"):
        assert (await rp.revoke(tokens[kind])).status_code == 200


async def test_another_clients_tokens_are_left_alone(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    stranger = auth.relying_party("app-two")
    assert error_of(await stranger.revoke(tokens["access_token"])) == (400, "invalid_grant")
    assert (await stranger.revoke(tokens["refresh_token"])).status_code == 200
    assert (await rp.userinfo(tokens["access_token"])).status_code == 200
    assert (await rp.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_public_client_may_revoke_its_own(auth: AuthService) -> None:
    spa = auth.relying_party("spa")
    tokens = await spa.tokens()
    assert (await spa.revoke(tokens["refresh_token"])).status_code == 200
    assert (await spa.userinfo(tokens["access_token"])).status_code == 401


async def test_who_is_no_client_may_not(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    assert error_of(await auth.http().post("/revoke", data={"token": tokens["access_token"]})) == (
        401,
        "invalid_client",
    )
    assert (await rp.userinfo(tokens["access_token"])).status_code == 200


async def test_a_token_is_needed(rp: RelyingParty) -> None:
    assert error_of(await rp.post("/revoke", {})) == (400, "invalid_request")
