"""`id_token_claims`: claims about the user in ID Tokens, for clients that do not call userinfo (OIDC Core §5.4)."""

from collections.abc import AsyncIterator

import pytest

from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import EMAIL, OTHER_EMAIL, clients_with
from tests.support.relying_party import RelyingParty, answer_of, claims_of

WANTED = ["name", "email", "email_verified", "phone_number", "roles"]


@pytest.fixture
async def auth(auth_sqlite_url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    clients = clients_with(
        {
            "app-one": {"id_token_claims": WANTED},
            "third-party": {"id_token_claims": WANTED, "scope": "openid email"},
        }
    )
    async with running_auth_service(auth_sqlite_url, clock, client=clients) as running:
        yield running


def user_claims(id_token: str) -> dict[str, object]:
    return {name: value for name, value in claims_of(id_token).items() if name in WANTED}


async def test_the_id_token_holds_the_claims_of_the_granted_scopes(rp: RelyingParty) -> None:
    tokens = await rp.tokens(scope="openid profile email")
    expected = {"name": "Ada Lovelace", "email": EMAIL, "email_verified": True, "roles": ["editor"]}
    assert user_claims(tokens["id_token"]) == expected
    assert user_claims((await rp.refresh(tokens["refresh_token"])).json()["id_token"]) == expected


async def test_a_claim_of_a_scope_that_was_not_granted_is_left_out(rp: RelyingParty) -> None:
    assert user_claims((await rp.tokens(scope="openid"))["id_token"]) == {"roles": ["editor"]}


async def test_a_claim_of_a_scope_that_the_client_may_not_have_is_left_out(auth: AuthService) -> None:
    third = auth.relying_party("third-party")
    page = await third.sign_in(scope="openid email")
    code = answer_of(await third.browser.allow(page))["code"]
    id_token = (await third.token(code)).json()["id_token"]
    assert user_claims(id_token) == {"email": EMAIL, "email_verified": True, "roles": ["editor"]}


async def test_claims_that_the_user_does_not_have_are_left_out(rp: RelyingParty) -> None:
    await rp.browser.sign_in(username=OTHER_EMAIL)
    id_token = (await rp.tokens(scope="openid profile email phone"))["id_token"]
    assert user_claims(id_token) == {"email": OTHER_EMAIL, "roles": []}


async def test_claims_of_the_claims_parameter_are_added(rp: RelyingParty) -> None:
    claims = claims_of(
        (await rp.tokens(scope="openid", claims='{"id_token": {"nickname": null, "email": null}}'))["id_token"]
    )
    assert (claims["nickname"], claims["email"]) == ("Ada", EMAIL)


async def test_id_token_claims_do_not_replace_protocol_claims(rp: RelyingParty) -> None:
    claims = claims_of((await rp.tokens(scope="openid profile email"))["id_token"])
    assert claims["aud"] == "app-one"
    assert claims["nonce"] == "n-0S6_WzA2Mj"


async def test_other_clients_get_protocol_claims_only(auth: AuthService) -> None:
    assert user_claims((await auth.relying_party("app-two").tokens(scope="openid profile email"))["id_token"]) == {}
