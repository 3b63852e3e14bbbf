"""Token revocation (RFC 7009): revoking either kind of token revokes its whole family."""

import pytest

from tests.support.auth_service import AuthService
from tests.support.relying_party import RelyingParty, error_of

pytestmark = pytest.mark.postgresql


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "something_else"])
async def test_either_kind_of_token_revokes_the_family_whatever_the_hint(
    rp: RelyingParty, kind: str, hint: str | None
) -> None:
    tokens = await rp.tokens()
    response = await rp.revoke(tokens[kind], token_type_hint=hint)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["cache-control"] == "no-store"
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


async def test_a_spent_refresh_token_revokes_the_family(rp: RelyingParty) -> None:
    old = await rp.tokens()
    new = (await rp.refresh(old["refresh_token"])).json()
    assert (await rp.revoke(old["refresh_token"])).status_code == 200
    assert error_of(await rp.refresh(new["refresh_token"])) == (400, "invalid_grant")


async def test_an_expired_access_token_revokes_the_family(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    auth.clock.advance(seconds=3600)
    assert (await rp.revoke(tokens["access_token"])).status_code == 200
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


async def test_other_families_stay(auth: AuthService, rp: RelyingParty) -> None:
    one, other = await rp.tokens(), await rp.tokens()
    two = auth.relying_party("app-two", rp.browser)
    twos = await two.tokens()
    await rp.revoke(one["access_token"])
    assert (await rp.userinfo(other["access_token"])).status_code == 200
    assert (await two.userinfo(twos["access_token"])).status_code == 200


@pytest.mark.parametrize("token", ["unknown", "un.kno.wn", "A" * 71, "é", "."])
async def test_an_unknown_token_is_answered_200(rp: RelyingParty, token: str) -> None:
    assert (await rp.revoke(token)).status_code == 200


async def test_revoking_a_token_twice_is_answered_200(rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    for kind in ("access_token", "refresh_token", "access_token"):
        assert (await rp.revoke(tokens[kind])).status_code == 200


async def test_another_client_cannot_revoke_a_token(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    other = auth.relying_party("app-two")
    assert error_of(await other.revoke(tokens["access_token"])) == (400, "invalid_grant")
    assert (await other.revoke(tokens["refresh_token"])).status_code == 200
    assert (await rp.userinfo(tokens["access_token"])).status_code == 200
    assert (await rp.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_public_client_may_revoke_its_own_tokens(auth: AuthService) -> None:
    spa = auth.relying_party("spa")
    tokens = await spa.tokens()
    assert (await spa.revoke(tokens["refresh_token"])).status_code == 200
    assert (await spa.userinfo(tokens["access_token"])).status_code == 401


async def test_an_unauthenticated_caller_cannot_revoke_a_token(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    assert error_of(await auth.http().post("/revoke", data={"token": tokens["access_token"]})) == (
        401,
        "invalid_client",
    )
    assert (await rp.userinfo(tokens["access_token"])).status_code == 200


async def test_a_request_without_a_token_is_refused(rp: RelyingParty) -> None:
    assert error_of(await rp.post("/revoke", {})) == (400, "invalid_request")
