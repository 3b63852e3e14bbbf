"""The `claims` parameter (OIDC Core §5.5) requests single claims by name, for userinfo or for the ID Token."""

import json
from typing import Any

import pytest

from auth_service.configuration.configuration_file import apply
from auth_service.vocabulary.acr import PASSWORD
from tests.support.auth_service import AuthService
from tests.support.declared import OTHER_EMAIL, PROFILE
from tests.support.relying_party import RelyingParty, answer_of, claims_of


def claims_request(**members: Any) -> dict[str, str]:
    return {"scope": "openid", "claims": json.dumps(members)}


async def test_only_requested_claims_are_returned_each_at_its_place(rp: RelyingParty) -> None:
    request = claims_request(userinfo={"name": {"essential": True}}, id_token={"email": None, "birthdate": None})
    tokens = await rp.tokens(**request)
    userinfo = (await rp.userinfo(tokens["access_token"])).json()
    assert {name: value for name, value in userinfo.items() if name != "sub"} == {"name": PROFILE["name"]}
    claims = claims_of(tokens["id_token"])
    assert (claims["email"], claims["birthdate"]) == ("ada@example.com", PROFILE["birthdate"])
    assert "name" not in claims


async def test_a_refreshed_id_token_has_the_same_claims(rp: RelyingParty) -> None:
    tokens = await rp.tokens(**claims_request(id_token={"nickname": None}))
    refreshed = (await rp.refresh(tokens["refresh_token"])).json()
    assert claims_of(refreshed["id_token"])["nickname"] == PROFILE["nickname"]


async def test_unknown_and_absent_claims_are_left_out(auth: AuthService) -> None:
    """Neither an unknown claim nor one that the user lacks is an error, essential or not (§5.5.1)."""
    rp = auth.relying_party("app-one")
    request = claims_request(
        userinfo={"shoe_size": {"essential": True}, "phone_number": {"essential": True}, "email": None}
    )
    await rp.browser.sign_in(username=OTHER_EMAIL)
    tokens = await rp.tokens(**request)
    assert (await rp.userinfo(tokens["access_token"])).json().keys() == {"sub", "email"}


async def test_a_requested_claim_does_not_replace_a_protocol_claim(rp: RelyingParty) -> None:
    tokens = await rp.tokens(
        **claims_request(id_token={"iss": {"value": "x"}, "aud": {"value": "x"}, "updated_at": None})
    )
    claims = claims_of(tokens["id_token"])
    assert (claims["iss"], claims["aud"]) == (rp.browser.issuer, "app-one")
    assert type(claims["updated_at"]) is int


async def test_claims_of_a_scope_that_the_client_may_not_have_are_left_out(auth: AuthService) -> None:
    rp = auth.relying_party("app-one")
    limited = [c.model_copy(update={"scope": "openid email"}) for c in auth.settings.client if c.client_id == "app-one"]
    await _redeclare(auth, limited[0])
    tokens = await rp.tokens(**claims_request(userinfo={"name": None, "email": None}, id_token={"phone_number": None}))
    assert (await rp.userinfo(tokens["access_token"])).json().keys() == {"sub", "email"}
    assert "phone_number" not in claims_of(tokens["id_token"])


async def test_claims_of_a_scope_that_the_client_lost_are_left_out(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens(**claims_request(userinfo={"email": None}, id_token={"phone_number": None, "name": None}))
    (client,) = [known for known in auth.settings.client if known.client_id == "app-one"]
    await _redeclare(auth, client.model_copy(update={"scope": "openid profile"}))
    refreshed = (await rp.refresh(tokens["refresh_token"])).json()
    assert claims_of(refreshed["id_token"]).keys() & {"phone_number", "name"} == {"name"}
    for token in (tokens, refreshed):
        assert (await rp.userinfo(token["access_token"])).json().keys() == {"sub"}


async def test_the_consent_page_asks_about_the_scope_of_a_requested_claim(auth: AuthService) -> None:
    rp = auth.relying_party("third-party")
    await rp.authorization_code(scope="openid")
    page = await rp.authorize(**claims_request(userinfo={"email": None}))
    assert 'id="allow"' in page.text
    assert "See your email address" in page.text
    await rp.browser.allow(page)
    assert "code" in answer_of(await rp.authorize(**claims_request(userinfo={"email": None}), prompt="none"))
    assert answer_of(await rp.authorize(**claims_request(userinfo={"name": None}), prompt="none"))["error"] == (
        "consent_required"
    )


@pytest.mark.parametrize(
    "claims",
    [
        "{",
        "[]",
        '"name"',
        "{}x",
        '{"userinfo": []}',
        '{"userinfo": {"name": true}}',
        '{"userinfo": {"name": {"essential": "yes"}}}',
        '{"id_token": {"acr": {"values": "one"}}}',
        '{"userinfo": {"name": null, "name": null}}',
        '{"userinfo": {"name": {"value": NaN}}}',
        '{"a":' * 40 + "1" + "}" * 40,
    ],
)
async def test_a_malformed_claims_parameter_is_an_invalid_request(rp: RelyingParty, claims: str) -> None:
    answer = answer_of(await rp.authorize(scope="openid", claims=claims))
    assert answer["error"] == "invalid_request"


async def test_an_empty_claims_parameter_is_accepted(rp: RelyingParty) -> None:
    for claims in ("{}", '{"userinfo": null}', '{"userinfo": {}, "id_token": {}}', '{"else": 5}'):
        assert (await rp.tokens(scope="openid", claims=claims))["id_token"]


# The requested values of sub and acr have an effect


async def test_a_requested_sub_refuses_every_other_user(rp: RelyingParty) -> None:
    sub = claims_of((await rp.tokens())["id_token"])["sub"]
    right = claims_request(id_token={"sub": {"value": sub}})
    assert "code" in answer_of(await rp.authorize(**right, prompt="none"))
    among = claims_request(id_token={"sub": {"values": ["someone", sub]}})
    assert "code" in answer_of(await rp.authorize(**among, prompt="none"))
    others: list[dict[str, Any]] = [{"value": "someone"}, {"values": ["someone", "else"]}, {"value": 5}, {"values": []}]
    for wrong in others:
        answer = answer_of(await rp.authorize(**claims_request(id_token={"sub": wrong}), prompt="none"))
        assert answer["error"] == "login_required"
    page = await rp.authorize(**claims_request(id_token={"sub": {"value": "someone"}}))
    assert 'id="sign-in"' in page.text
    answer = answer_of(await rp.browser.sign_in(page))  # another login page would not help
    assert answer["error"] == "login_required"


@pytest.mark.parametrize("sub", [{"values": []}, {"value": 5}])
async def test_a_sub_that_no_user_can_have_is_refused_without_a_login_page(
    rp: RelyingParty, sub: dict[str, Any]
) -> None:
    assert answer_of(await rp.authorize(**claims_request(id_token={"sub": sub})))["error"] == "login_required"


async def test_an_unsupported_essential_acr_is_refused_and_a_voluntary_one_is_not(rp: RelyingParty) -> None:
    """OIDC Core §5.5.1.1. A voluntary acr that is not supported is ignored."""
    met = claims_request(id_token={"acr": {"essential": True, "values": ["other", PASSWORD]}})
    assert claims_of((await rp.tokens(**met))["id_token"])["acr"] == PASSWORD
    unmet: dict[str, Any] = {"acr": {"essential": True, "values": ["urn:example:retina"]}}
    answer = answer_of(await rp.authorize(**claims_request(id_token=unmet)))
    assert answer["error"] == "unmet_authentication_requirements"
    unmet["acr"]["essential"] = False
    assert claims_of((await rp.tokens(**claims_request(id_token=unmet)))["id_token"])["acr"] == PASSWORD
    assert claims_of((await rp.tokens(acr_values="urn:example:retina"))["id_token"])["acr"] == PASSWORD


async def _redeclare(auth: AuthService, client: Any) -> None:
    others = [known for known in auth.settings.client if known.client_id != client.client_id]
    await apply(auth.store, auth.settings.model_copy(update={"client": [*others, client]}), auth.clock)
    await auth.look_again()
