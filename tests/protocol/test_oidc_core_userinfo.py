"""The userinfo endpoint (OIDC Core §5.3, §5.4) returns the claims of each scope that the user has."""

from typing import Any

import pytest

from auth_service.store.users import users
from tests.support.auth_service import AuthService
from tests.support.declared import ADDRESS, EMAIL, NOTES, OTHER_EMAIL, PHONE, PROFILE
from tests.support.relying_party import RelyingParty, answer_of, claims_of

pytestmark = pytest.mark.postgresql


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", {}),
        ("openid notes:read", {}),
        ("openid profile", {**PROFILE, "updated_at": 1_800_000_000}),
        ("openid email", {"email": EMAIL, "email_verified": True}),
        ("openid address", {"address": ADDRESS}),
        ("openid phone", PHONE),
        ("openid email phone", {"email": EMAIL, "email_verified": True, **PHONE}),
    ],
)
async def test_each_scope_releases_its_claims(rp: RelyingParty, scope: str, claims: dict[str, Any]) -> None:
    tokens = await rp.tokens(scope=scope)
    response = await rp.userinfo(tokens["access_token"])
    assert response.status_code == 200
    assert response.json() == {"sub": claims_of(tokens["id_token"])["sub"], **claims}
    assert response.headers["cache-control"] == "no-store"


async def test_claims_that_the_user_lacks_are_left_out(rp: RelyingParty) -> None:
    page = await rp.authorize(scope="openid profile email address phone")
    code = answer_of(await rp.browser.sign_in(page, username=OTHER_EMAIL))["code"]
    claims = (await rp.userinfo((await rp.token(code)).json()["access_token"])).json()
    assert claims.keys() == {"sub", "email", "updated_at"}


async def test_the_token_is_accepted_in_the_header_or_in_the_form_of_a_post(rp: RelyingParty) -> None:
    token = (await rp.tokens())["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    for response in (
        await rp.http.get("/userinfo", headers=bearer),
        await rp.http.get("/userinfo", headers={"Authorization": f"bearer {token}"}),
        await rp.http.post("/userinfo", headers=bearer),
        await rp.http.post("/userinfo", data={"access_token": token}),
    ):
        assert response.status_code == 200
    assert (await rp.http.post("/userinfo", data={"access_token": token}, headers=bearer)).status_code == 400
    assert (await rp.http.get("/userinfo", params={"access_token": token})).status_code == 401


async def test_a_token_for_an_api_is_accepted_if_it_has_openid(rp: RelyingParty) -> None:
    token = (await rp.tokens(scope="openid notes:read"))["access_token"]
    assert claims_of(token)["aud"] == NOTES
    assert (await rp.userinfo(token)).status_code == 200


async def test_without_a_token_the_challenge_names_no_error(rp: RelyingParty) -> None:
    response = await rp.http.get("/userinfo")
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_token_without_openid_has_insufficient_scope(rp: RelyingParty) -> None:
    response = await rp.userinfo((await rp.tokens(scope="notes:read"))["access_token"])
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
    assert 'scope="openid"' in response.headers["www-authenticate"]


async def test_a_token_without_a_user_is_refused(auth: AuthService) -> None:
    bot = auth.relying_party("bot")
    token = (await bot.client_credentials()).json()["access_token"]
    assert (await bot.userinfo(token)).status_code == 401


async def test_anything_but_an_own_access_token_is_refused(rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    header, payload, signature = tokens["access_token"].split(".")
    for token in (
        tokens["id_token"],
        tokens["refresh_token"],
        f"{header}.{payload}.{'A' * 86}",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature}.",
        "x" * 10_000,
        "é",
    ):
        response = await rp.http.get("/userinfo", headers={b"Authorization": f"Bearer {token}".encode()})
        assert response.status_code == 401
        assert 'error="invalid_token"' in response.headers["www-authenticate"]


async def test_an_access_token_expires_after_five_minutes(auth: AuthService, rp: RelyingParty) -> None:
    token = (await rp.tokens())["access_token"]
    auth.clock.advance(seconds=299)
    assert (await rp.userinfo(token)).status_code == 200
    auth.clock.advance(seconds=1)
    assert (await rp.userinfo(token)).status_code == 401


async def test_disabling_a_user_revokes_their_tokens_for_good(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens(scope="openid offline_access")
    sub = claims_of(tokens["id_token"])["sub"]
    await auth.store.write(users.disable_user, sub, by="command", now=auth.clock())
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401
    assert (await rp.refresh(tokens["refresh_token"])).status_code == 400
    await auth.store.write(users.enable_user, sub, by="command", now=auth.clock())
    assert (await rp.refresh(tokens["refresh_token"])).status_code == 400


async def test_a_malformed_form_gets_a_bearer_challenge(rp: RelyingParty) -> None:
    for content in (b"access_token=%FF", b"access_token=%00", b"access_token=a&access_token=b"):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        response = await rp.http.post("/userinfo", content=content, headers=headers)
        assert response.status_code == 400
        assert 'error="invalid_request"' in response.headers["www-authenticate"]
