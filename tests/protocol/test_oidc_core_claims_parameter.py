"""The `claims` parameter (OIDC Core §5.5): single claims by name, at userinfo or in the ID Token."""

import json
from typing import Any

import pytest

from auth_service.configuration.configuration_file import apply
from auth_service.vocabulary.acr import PASSWORD
from tests.support.auth_service import AuthService
from tests.support.declared import OTHER_EMAIL, PROFILE
from tests.support.relying_party import RelyingParty, answer_of, claims_of


def asking(**members: Any) -> dict[str, str]:
    return {"scope": "openid", "claims": json.dumps(members)}


async def test_a_claim_is_told_where_it_was_asked_for_and_no_other(rp: RelyingParty) -> None:
    wishes = asking(userinfo={"name": {"essential": True}}, id_token={"email": None, "birthdate": None})
    tokens = await rp.tokens(**wishes)
    userinfo = (await rp.userinfo(tokens["access_token"])).json()
    assert {name: value for name, value in userinfo.items() if name != "sub"} == {"name": PROFILE["name"]}
    claims = claims_of(tokens["id_token"])
    assert (claims["email"], claims["birthdate"]) == ("ada@example.com", PROFILE["birthdate"])
    assert "name" not in claims


async def test_a_refreshed_id_token_has_the_same_claims(rp: RelyingParty) -> None:
    tokens = await rp.tokens(**asking(id_token={"nickname": None}))
    refreshed = (await rp.refresh(tokens["refresh_token"])).json()
    assert claims_of(refreshed["id_token"])["nickname"] == PROFILE["nickname"]


async def test_what_nobody_knows_is_left_out(auth: AuthService) -> None:
    """An unknown claim, and a known one that this user lacks: essential or not, neither is an error."""
    rp = auth.relying_party("app-one")
    wishes = asking(userinfo={"shoe_size": {"essential": True}, "phone_number": {"essential": True}, "email": None})
    await rp.browser.sign_in(username=OTHER_EMAIL)
    tokens = await rp.tokens(**wishes)
    assert (await rp.userinfo(tokens["access_token"])).json().keys() == {"sub", "email"}


async def test_no_claim_replaces_one_of_the_protocol(rp: RelyingParty) -> None:
    tokens = await rp.tokens(**asking(id_token={"iss": {"value": "x"}, "aud": {"value": "x"}, "updated_at": None}))
    claims = claims_of(tokens["id_token"])
    assert (claims["iss"], claims["aud"]) == (rp.browser.issuer, "app-one")
    assert type(claims["updated_at"]) is int


async def test_it_tells_nothing_of_a_scope_that_the_client_may_not_have(auth: AuthService) -> None:
    rp = auth.relying_party("app-one")
    limited = [c.model_copy(update={"scope": "openid email"}) for c in auth.settings.client if c.client_id == "app-one"]
    await _redeclare(auth, limited[0])
    tokens = await rp.tokens(**asking(userinfo={"name": None, "email": None}, id_token={"phone_number": None}))
    assert (await rp.userinfo(tokens["access_token"])).json().keys() == {"sub", "email"}
    assert "phone_number" not in claims_of(tokens["id_token"])


async def test_what_was_taken_from_the_client_is_not_told_any_more(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens(**asking(userinfo={"email": None}, id_token={"phone_number": None, "name": None}))
    (client,) = [known for known in auth.settings.client if known.client_id == "app-one"]
    await _redeclare(auth, client.model_copy(update={"scope": "openid profile"}))
    refreshed = (await rp.refresh(tokens["refresh_token"])).json()
    assert claims_of(refreshed["id_token"]).keys() & {"phone_number", "name"} == {"name"}
    for token in (tokens, refreshed):
        assert (await rp.userinfo(token["access_token"])).json().keys() == {"sub"}


async def test_the_user_is_asked_about_it_as_about_its_scope(auth: AuthService) -> None:
    rp = auth.relying_party("third-party")
    await rp.authorization_code(scope="openid")
    page = await rp.authorize(**asking(userinfo={"email": None}))
    assert 'id="allow"' in page.text
    assert "See your email address" in page.text
    await rp.browser.allow(page)
    assert "code" in answer_of(await rp.authorize(**asking(userinfo={"email": None}), prompt="none"))
    assert answer_of(await rp.authorize(**asking(userinfo={"name": None}), prompt="none"))["error"] == (
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
async def test_a_malformed_one_is_an_invalid_request(rp: RelyingParty, claims: str) -> None:
    answer = answer_of(await rp.authorize(scope="openid", claims=claims))
    assert answer["error"] == "invalid_request"


async def test_an_empty_one_asks_for_nothing(rp: RelyingParty) -> None:
    for claims in ("{}", '{"userinfo": null}', '{"userinfo": {}, "id_token": {}}', '{"else": 5}'):
        assert (await rp.tokens(scope="openid", claims=claims))["id_token"]


# sub and acr, of which a value is more than a wish


async def test_another_user_than_the_one_asked_for_is_not_let_through(rp: RelyingParty) -> None:
    sub = claims_of((await rp.tokens())["id_token"])["sub"]
    right = asking(id_token={"sub": {"value": sub}})
    assert "code" in answer_of(await rp.authorize(**right, prompt="none"))
    among = asking(id_token={"sub": {"values": ["someone", sub]}})
    assert "code" in answer_of(await rp.authorize(**among, prompt="none"))
    others: list[dict[str, Any]] = [{"value": "someone"}, {"values": ["someone", "else"]}, {"value": 5}, {"values": []}]
    for wrong in others:
        answer = answer_of(await rp.authorize(**asking(id_token={"sub": wrong}), prompt="none"))
        assert answer["error"] == "login_required"
    page = await rp.authorize(**asking(id_token={"sub": {"value": "someone"}}))
    assert 'id="sign-in"' in page.text
    answer = answer_of(await rp.browser.sign_in(page))  # to ask for a password again would be in vain
    assert answer["error"] == "login_required"


@pytest.mark.parametrize("sub", [{"values": []}, {"value": 5}])
async def test_nobody_is_asked_to_sign_in_as_nobody(rp: RelyingParty, sub: dict[str, Any]) -> None:
    assert answer_of(await rp.authorize(**asking(id_token={"sub": sub})))["error"] == "login_required"


async def test_an_essential_acr_is_met_or_refused(rp: RelyingParty) -> None:
    """OIDC Core §5.5.1.1; a wish that cannot be met is answered with what there is."""
    met = asking(id_token={"acr": {"essential": True, "values": ["other", PASSWORD]}})
    assert claims_of((await rp.tokens(**met))["id_token"])["acr"] == PASSWORD
    unmet: dict[str, Any] = {"acr": {"essential": True, "values": ["urn:example:retina"]}}
    answer = answer_of(await rp.authorize(**asking(id_token=unmet)))
    assert answer["error"] == "unmet_authentication_requirements"
    unmet["acr"]["essential"] = False
    assert claims_of((await rp.tokens(**asking(id_token=unmet)))["id_token"])["acr"] == PASSWORD
    assert claims_of((await rp.tokens(acr_values="urn:example:retina"))["id_token"])["acr"] == PASSWORD


async def _redeclare(auth: AuthService, client: Any) -> None:
    others = [known for known in auth.settings.client if known.client_id != client.client_id]
    await apply(auth.store, auth.settings.model_copy(update={"client": [*others, client]}), auth.clock)
    await auth.look_again()
