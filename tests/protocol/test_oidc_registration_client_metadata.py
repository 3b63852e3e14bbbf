"""Client metadata that change the responses to the client (OIDC Registration §2)."""

from collections.abc import AsyncIterator

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import EVERY_SCOPE, secret_of
from tests.support.relying_party import RelyingParty, answer_of, claims_of, header_of

pytestmark = pytest.mark.postgresql

DECLARED = {
    "client_id": "particular",
    "client_secret": secret_of("particular"),
    "redirect_uris": ["https://particular.example.org/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": EVERY_SCOPE,
    "first_party": True,
    "id_token_signed_response_alg": "RS256",
    "userinfo_signed_response_alg": "ES256",
    "default_max_age": 100,
}


@pytest.fixture
async def auth(auth_database_url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_database_url, clock, client=[DECLARED]) as running:
        yield running


@pytest.fixture
def rp(auth: AuthService) -> RelyingParty:
    return auth.relying_party("particular")


async def test_id_tokens_have_the_algorithm_of_the_client_and_access_tokens_es256(rp: RelyingParty) -> None:
    first = await rp.tokens()
    for tokens in (first, (await rp.refresh(first["refresh_token"])).json()):
        assert header_of(tokens["id_token"])["alg"] == "RS256"
        assert header_of(tokens["access_token"])["alg"] == "ES256"


async def test_an_id_token_hint_signed_with_rs256_is_accepted(rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    assert "code" in answer_of(await rp.authorize(id_token_hint=tokens["id_token"], prompt="none"))


async def test_userinfo_is_signed_as_the_client_is_registered(rp: RelyingParty) -> None:
    """OIDC Core §5.3.2."""
    tokens = await rp.tokens(scope="openid email")
    response = await rp.userinfo(tokens["access_token"])
    assert (response.headers["content-type"], response.headers["cache-control"]) == ("application/jwt", "no-store")
    keys = (await rp.http.get("/jwks")).json()
    claims = jwt.decode(response.text, KeySet.import_key_set(keys), ["ES256"]).claims
    assert claims.keys() == {"iss", "aud", "sub", "email", "email_verified"}
    assert (claims["iss"], claims["aud"]) == (rp.browser.issuer, "particular")


async def test_signed_userinfo_is_not_accepted_as_a_token(rp: RelyingParty) -> None:
    """It is a JWT that we sign, with the client as its audience, so no other endpoint may accept it."""
    signed = (await rp.userinfo((await rp.tokens())["access_token"])).text
    assert (await rp.userinfo(signed)).status_code == 401
    assert (await rp.introspect(signed)).json() == {"active": False}
    assert answer_of(await rp.authorize(id_token_hint=signed, prompt="none"))["error"] == "invalid_request"


async def test_default_max_age_applies_to_a_request_without_max_age(rp: RelyingParty, clock: MovableClock) -> None:
    await rp.tokens()
    clock.advance(seconds=100)
    assert "code" in answer_of(await rp.authorize(prompt="none"))
    clock.advance(seconds=1)
    assert answer_of(await rp.authorize(prompt="none"))["error"] == "login_required"
    assert "code" in answer_of(await rp.authorize(prompt="none", max_age="200"))
    assert claims_of((await rp.tokens())["id_token"])["auth_time"] == clock.now
