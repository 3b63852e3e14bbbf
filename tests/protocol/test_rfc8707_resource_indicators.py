"""Resource indicators (RFC 8707): every access token is for one API, which the request may name."""

from typing import Any

import pytest

from tests.support.declared import CALENDAR, ISSUER, NOTES
from tests.support.relying_party import RelyingParty, answer_of, claims_of, error_of

BOTH = "openid notes:read calendar:read"


async def test_the_audience_is_the_api_that_owns_the_scopes(rp: RelyingParty) -> None:
    assert claims_of((await rp.tokens(scope="openid calendar:read"))["access_token"])["aud"] == CALENDAR


async def test_with_openid_scopes_alone_it_is_the_issuer(rp: RelyingParty) -> None:
    assert claims_of((await rp.tokens(scope="openid email"))["access_token"])["aud"] == ISSUER


async def test_scopes_of_two_apis_are_an_error_only_at_the_token_endpoint(rp: RelyingParty) -> None:
    code = await rp.authorization_code(scope=BOTH)
    assert error_of(await rp.token(code)) == (400, "invalid_target")
    tokens = (await rp.token(code, resource=NOTES)).json()
    assert claims_of(tokens["access_token"])["aud"] == NOTES
    assert tokens["scope"] == "openid notes:read"


async def test_each_refresh_may_name_another_of_the_apis(rp: RelyingParty) -> None:
    tokens = (await rp.token(await rp.authorization_code(scope=BOTH), resource=NOTES)).json()
    for resource, scope in ((CALENDAR, "openid calendar:read"), (NOTES, "openid notes:read"), (ISSUER, "openid")):
        tokens = (await rp.refresh(tokens["refresh_token"], resource=resource)).json()
        assert (claims_of(tokens["access_token"])["aud"], tokens["scope"]) == (resource, scope)
    assert error_of(await rp.refresh(tokens["refresh_token"])) == (400, "invalid_target")


async def test_a_resource_of_the_authorization_request_decides(rp: RelyingParty) -> None:
    tokens = await rp.tokens(scope=BOTH, resource=CALENDAR)
    assert claims_of(tokens["access_token"])["aud"] == CALENDAR
    assert tokens["scope"] == "openid calendar:read"


async def test_it_may_repeat_there_and_each_token_names_one(rp: RelyingParty) -> None:
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


async def test_a_resource_for_which_nothing_was_granted_is_refused(rp: RelyingParty) -> None:
    code = await rp.authorization_code(scope="openid notes:read")
    assert error_of(await rp.token(code, resource=CALENDAR)) == (400, "invalid_target")
    assert (await rp.token(code, resource=NOTES)).status_code == 200


@pytest.mark.parametrize("resource", ["https://elsewhere.example.com", NOTES + "/", NOTES + "#x", "x", [NOTES, "x"]])
async def test_an_unknown_resource_goes_back_as_invalid_target(rp: RelyingParty, resource: str | list[str]) -> None:
    assert answer_of(await rp.authorize(resource=resource))["error"] == "invalid_target"
