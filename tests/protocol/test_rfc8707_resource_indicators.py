"""Resource indicators (RFC 8707): every access token is for one API, which the request may name."""

from typing import Any

import pytest

from tests.support.auth_service import AuthService
from tests.support.declared import CALENDAR, ISSUER, NOTES
from tests.support.relying_party import RelyingParty, answer_of, claims_of, error_of

BOTH = "openid notes:read calendar:read"


async def test_the_audience_is_the_api_that_owns_the_scopes(rp: RelyingParty) -> None:
    assert claims_of((await rp.tokens(scope="openid calendar:read"))["access_token"])["aud"] == CALENDAR


async def test_with_openid_scopes_only_the_audience_is_the_issuer(rp: RelyingParty) -> None:
    assert claims_of((await rp.tokens(scope="openid email"))["access_token"])["aud"] == ISSUER


async def test_scopes_of_two_apis_without_a_resource_are_refused_before_the_user_is_asked(rp: RelyingParty) -> None:
    answer = answer_of(await rp.authorize(scope=BOTH))
    assert answer["error"] == "invalid_target"
    assert "notes:read and calendar:read" in answer["error_description"]


async def test_each_refresh_may_name_another_authorized_resource(rp: RelyingParty) -> None:
    code = await rp.authorization_code(scope=BOTH, resource=[NOTES, CALENDAR, ISSUER])
    tokens = (await rp.token(code, resource=NOTES)).json()
    for resource, scope in ((CALENDAR, "openid calendar:read"), (NOTES, "openid notes:read"), (ISSUER, "openid")):
        tokens = (await rp.refresh(tokens["refresh_token"], resource=resource)).json()
        assert (claims_of(tokens["access_token"])["aud"], tokens["scope"]) == (resource, scope)
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (400, "invalid_target")


async def test_the_resource_of_the_authorization_request_decides_the_audience(rp: RelyingParty) -> None:
    tokens = await rp.tokens(scope=BOTH, resource=CALENDAR)
    assert claims_of(tokens["access_token"])["aud"] == CALENDAR
    assert tokens["scope"] == "openid calendar:read"


async def test_the_authorization_request_may_name_several_resources_and_a_token_request_one(rp: RelyingParty) -> None:
    code = await rp.authorization_code(scope=BOTH, resource=[NOTES, CALENDAR])
    assert error_of(await rp.token(code)) == (400, "invalid_target")
    assert error_of(await rp.token(code, resource=[NOTES, CALENDAR])) == (400, "invalid_target")
    assert (await rp.token(code, resource=CALENDAR)).status_code == 200


@pytest.mark.parametrize("changes", [{"resource": ISSUER}, {"resource": "https://elsewhere.example.com"}])
async def test_a_token_is_never_for_more_than_was_authorized(rp: RelyingParty, changes: dict[str, Any]) -> None:
    code = await rp.authorization_code(scope=BOTH, resource=NOTES)
    assert error_of(await rp.token(code, **changes)) == (400, "invalid_target")
    assert error_of(await rp.token(code, resource=CALENDAR)) == (400, "invalid_target")
    tokens = (await rp.token(code)).json()
    assert error_of(await rp.refresh(tokens["refresh_token"], resource=CALENDAR)) == (400, "invalid_target")
    assert (await rp.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_resource_without_a_granted_scope_is_refused(rp: RelyingParty) -> None:
    assert answer_of(await rp.authorize(scope="openid notes:read", resource=CALENDAR))["error"] == "invalid_target"
    code = await rp.authorization_code(scope="openid notes:read")
    assert error_of(await rp.token(code, resource=CALENDAR)) == (400, "invalid_target")
    assert (await rp.token(code, resource=NOTES)).status_code == 200


@pytest.mark.parametrize(
    "resource", ["https://elsewhere.example.com", NOTES + "//", NOTES + "/?", "/", "x", [NOTES, "x"]]
)
async def test_an_unknown_resource_is_refused_with_invalid_target(rp: RelyingParty, resource: str | list[str]) -> None:
    assert answer_of(await rp.authorize(resource=resource))["error"] == "invalid_target"


async def test_a_refused_resource_is_named_without_its_query(rp: RelyingParty) -> None:
    answer = answer_of(await rp.authorize(resource='https://key@elsewhere.example.com/a"b?token=x'))
    assert "'https://elsewhere.example.com/a%22b'" in answer["error_description"]


async def test_an_empty_path_and_a_slash_name_the_same_resource(auth: AuthService, rp: RelyingParty) -> None:
    """RFC 9110 §4.2.3. `aud` has the form that is declared."""
    code = await rp.authorization_code(scope="openid notes:read calendar:read", resource=[f"{NOTES}/", f"{ISSUER}/"])
    tokens = (await rp.token(code, resource=f"{NOTES}/")).json()
    assert claims_of(tokens["access_token"])["aud"] == NOTES
    refreshed = (await rp.refresh(tokens["refresh_token"], resource=f"{ISSUER}/")).json()
    assert claims_of(refreshed["access_token"])["aud"] == ISSUER
    own = (await auth.relying_party("bot-of-two").client_credentials(resource=f"{CALENDAR}/")).json()
    assert (claims_of(own["access_token"])["aud"], own["scope"]) == (CALENDAR, "calendar:read")


async def test_scopes_of_another_api_than_the_named_one_are_neither_shown_nor_granted(auth: AuthService) -> None:
    third = auth.relying_party("third-party")
    page = await third.sign_in(scope=BOTH, resource=CALENDAR)
    assert "Read your calendar" in page.text
    assert "Read your notes" not in page.text
    tokens = (await third.token(answer_of(await third.browser.allow(page))["code"])).json()
    assert tokens["scope"] == "openid calendar:read"
