"""The ID Token (OIDC Core §2) has claims about the login, and none about the user."""

import pytest

from auth_service.vocabulary.acr import PASSWORD as PASSWORD_ACR
from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER
from tests.support.relying_party import RelyingParty, claims_of, header_of

pytestmark = pytest.mark.postgresql


async def test_the_id_token_has_protocol_claims_only(rp: RelyingParty, clock: MovableClock) -> None:
    tokens = await rp.tokens(scope="openid profile email address phone")
    claims = claims_of(tokens["id_token"])
    assert claims.pop("sub") == (await rp.userinfo(tokens["access_token"])).json()["sub"]
    assert len(claims.pop("sid")) >= 16
    assert claims == {
        "iss": ISSUER,
        "aud": "app-one",
        "iat": clock.now,
        "exp": clock.now + 300,
        "auth_time": clock.now,
        "acr": PASSWORD_ACR,
        "nonce": "n-0S6_WzA2Mj",
    }
    assert header_of(tokens["id_token"])["typ"] == "JWT"


async def test_the_nonce_is_copied_from_the_request(rp: RelyingParty) -> None:
    nonce = 'é"\\ \n' + "n" * 500
    assert claims_of((await rp.tokens(nonce=nonce))["id_token"])["nonce"] == nonce
    assert "nonce" not in claims_of((await rp.tokens(nonce=None))["id_token"])


async def test_auth_time_is_the_time_of_the_login(rp: RelyingParty, clock: MovableClock) -> None:
    await rp.sign_in()
    signed_in = clock.now
    clock.advance(seconds=1000)
    claims = claims_of((await rp.tokens())["id_token"])
    assert (claims["auth_time"], claims["iat"]) == (signed_in, clock.now)


async def test_all_clients_of_one_login_get_the_same_sid(auth: AuthService, rp: RelyingParty) -> None:
    one = claims_of((await rp.tokens())["id_token"])
    two = claims_of((await auth.relying_party("app-two", rp.browser).tokens())["id_token"])
    elsewhere = claims_of((await auth.relying_party("app-one").tokens())["id_token"])
    assert one["sub"] == two["sub"] == elsewhere["sub"]
    assert one["sid"] == two["sid"] != elsewhere["sid"]


async def test_no_cookie_contains_the_sid(rp: RelyingParty) -> None:
    sid = claims_of((await rp.tokens())["id_token"])["sid"]
    assert all(sid not in value for value in rp.browser.http.cookies.values())


@pytest.mark.parametrize("scope", ["openid", "openid offline_access"])
async def test_a_refreshed_id_token_has_the_claims_of_the_original_login(
    rp: RelyingParty, clock: MovableClock, scope: str
) -> None:
    """OIDC Core §12.2. With offline_access this also holds after the login has ended."""
    tokens = await rp.tokens(scope=scope, prompt="consent" if "offline" in scope else None)
    for sign_out in (False, "offline" in scope):
        if sign_out:
            await rp.browser.submit(await rp.browser.open("/logout"))
        clock.advance(seconds=10)
        refreshed = (await rp.refresh(tokens["refresh_token"])).json()
        before, after = claims_of(tokens["id_token"]), claims_of(refreshed["id_token"])
        for name in ("iss", "sub", "aud", "auth_time", "sid"):
            assert after[name] == before[name]
        assert "nonce" not in after
        tokens = refreshed
