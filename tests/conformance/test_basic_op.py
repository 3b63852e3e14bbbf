"""Basic OP and Form Post OP: one test for each module, under every plan (docs/conformance.md).

The comprehensive plans for private_key_jwt and for public clients run the same modules with another client.
"""

from base64 import urlsafe_b64encode
from typing import Any

import pytest

from tests.conformance.checks import ID_TOKEN_CLAIMS, check_token_error, check_token_response, id_token_alg, to_json
from tests.conformance.suite import Suite
from tests.support.clock import MovableClock
from tests.support.relying_party import CODE_CHALLENGE, CODE_VERIFIER

SCOPE_CLAIMS = {
    "profile": frozenset(
        (
            *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile"),
            *("picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"),
        )
    ),
    "email": frozenset({"email", "email_verified"}),
    "address": frozenset({"address"}),
    "phone": frozenset({"phone_number", "phone_number_verified"}),
}


@pytest.mark.every_plan
async def test_server(suite: Suite) -> None:
    client = await suite.client()
    login = await suite.log_in(client)
    assert login.claims.keys() <= ID_TOKEN_CLAIMS


@pytest.mark.every_plan
async def test_response_type_missing(suite: Suite) -> None:
    error = await suite.refusal(await suite.client(), response_type=None)
    assert error in ("invalid_request", "unsupported_response_type")


@pytest.mark.every_plan
async def test_id_token_signature(suite: Suite) -> None:
    """A dynamic client that names no algorithm gets RS256. Every ID Token has a kid."""
    login = await suite.log_in(await suite.client())
    assert id_token_alg(login.id_token) == ("RS256" if suite.plan.is_dynamic else "ES256")


async def test_userinfo_get(suite: Suite) -> None:
    login = await suite.log_in(await suite.client())
    assert (await suite.userinfo(login.access_token))["sub"] == login.claims["sub"]


async def test_userinfo_post(suite: Suite) -> None:
    """With the token in the header and an empty form, and with the token in the form."""
    token = (await suite.log_in(await suite.client())).access_token
    endpoint = suite.metadata["userinfo_endpoint"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    by_header = await suite.http.post(endpoint, headers={"Authorization": f"Bearer {token}", **form})
    by_body = await suite.http.post(endpoint, data={"access_token": token})
    assert by_header.status_code == by_body.status_code == 200
    assert by_header.json() == by_body.json()


async def test_ensure_request_without_nonce_succeeds(suite: Suite) -> None:
    assert "nonce" not in (await suite.log_in(await suite.client(), nonce=None)).claims


@pytest.mark.parametrize("scope", [*SCOPE_CLAIMS, "all"])
async def test_scope(suite: Suite, scope: str) -> None:
    """Userinfo has every claim of the scope, and no ID Token has one."""
    scopes = list(SCOPE_CLAIMS) if scope == "all" else [scope]
    login = await suite.log_in(await suite.client(), scope=" ".join(["openid", *scopes]))
    expected = frozenset({"sub"}).union(*(SCOPE_CLAIMS[word] for word in scopes))
    assert (await suite.userinfo(login.access_token)).keys() == expected
    assert login.claims.keys() & expected == {"sub"}


async def test_alternate_happy_flow(suite: Suite) -> None:
    """Neither the order of the scopes nor that of the parameters matters."""
    client = await suite.client()
    backwards = dict(reversed(suite.parameters(client, scope="email openid").items()))
    answer = suite.answer(await suite.go_through(await suite.arrive(backwards)), client)
    tokens = check_token_response(await suite.redeem(client, answer["code"]))
    assert (await suite.userinfo(tokens["access_token"]))["email"]


@pytest.mark.parametrize(
    "parameter",
    [
        {"display": "page"},
        {"display": "popup"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"login_hint": "buffy@id.example.com"},
        {"extra": "foobar"},
    ],
    ids=lambda parameter: next(iter(parameter)) + "-" + str(next(iter(parameter.values()))),
)
async def test_ensure_request_with_this_parameter_succeeds(suite: Suite, parameter: dict[str, Any]) -> None:
    await suite.log_in(await suite.client(), **parameter)


async def test_prompt_login(suite: Suite, clock: MovableClock) -> None:
    client = await suite.client()
    first = await suite.log_in(client)
    clock.advance(seconds=1)
    parameters = suite.parameters(client, prompt="login")
    page = await suite.arrive(parameters)
    assert 'id="sign-in"' in page.text
    answer = suite.answer(await suite.go_through(page), client)
    tokens = check_token_response(await suite.redeem(client, answer["code"]))
    second = suite.read(tokens["id_token"], client, nonce=parameters["nonce"])
    assert second["auth_time"] > first.claims["auth_time"]
    assert second["sub"] == first.claims["sub"]


@pytest.mark.every_plan
async def test_prompt_none_not_logged_in(suite: Suite) -> None:
    assert await suite.refusal(await suite.client(), prompt="none", state="s" * 128) == "login_required"


async def test_prompt_none_logged_in(suite: Suite, clock: MovableClock) -> None:
    client = await suite.client()
    first = await suite.log_in(client)
    clock.advance(seconds=1)
    answer = suite.answer(await suite.arrive(suite.parameters(client, prompt="none", nonce="again")), client)
    tokens = check_token_response(await suite.redeem(client, answer["code"]))
    second = suite.read(tokens["id_token"], client, nonce="again")
    assert [second[name] for name in ("sub", "auth_time")] == [first.claims[name] for name in ("sub", "auth_time")]


async def test_max_age_1(suite: Suite, clock: MovableClock) -> None:
    client = await suite.client()
    first = await suite.log_in(client)
    clock.advance(seconds=2)
    parameters = suite.parameters(client, max_age="1", nonce="again")
    page = await suite.arrive(parameters)
    assert 'id="sign-in"' in page.text
    answer = suite.answer(await suite.go_through(page), client)
    second = suite.read(
        check_token_response(await suite.redeem(client, answer["code"]))["id_token"], client, nonce="again"
    )
    assert first.claims["auth_time"] < second["auth_time"] == clock.now


async def test_max_age_10000(suite: Suite, clock: MovableClock) -> None:
    client = await suite.client()
    first = await suite.log_in(client, max_age="15000")
    clock.advance(seconds=2)
    answer = suite.answer(await suite.arrive(suite.parameters(client, max_age="10000", nonce="again")), client)
    second = suite.read(
        check_token_response(await suite.redeem(client, answer["code"]))["id_token"], client, nonce="again"
    )
    assert second["auth_time"] == first.claims["auth_time"]


async def test_id_token_hint(suite: Suite, clock: MovableClock) -> None:
    client = await suite.client()
    first = await suite.log_in(client)
    clock.advance(seconds=600)  # the hint has expired, which is allowed
    hinted = suite.parameters(client, prompt="none", id_token_hint=first.id_token)
    assert "code" in suite.answer(await suite.arrive(hinted), client)


async def test_ensure_request_with_acr_values_succeeds(suite: Suite) -> None:
    supported = suite.metadata["acr_values_supported"]
    login = await suite.log_in(await suite.client(), acr_values=" ".join(supported))
    assert login.claims["acr"] in supported


@pytest.mark.every_plan
@pytest.mark.parametrize("seconds", [0, 30])
async def test_code_reuse(suite: Suite, clock: MovableClock, seconds: int) -> None:
    """The second redemption is refused, and revokes the tokens of the first one."""
    client = await suite.client()
    login = await suite.log_in(client)
    clock.advance(seconds=seconds)
    check_token_error(await suite.redeem(client, login.code), "invalid_grant")
    refused = await suite.http.get(
        suite.metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {login.access_token}"}
    )
    assert 400 <= refused.status_code < 500


async def test_ensure_registered_redirect_uri(suite: Suite) -> None:
    client = await suite.client()
    page = await suite.arrive(suite.parameters(client, redirect_uri=f"{client.redirect_uri}/more"))
    assert (page.status_code, 'id="error"' in page.text) == (400, True)


@pytest.mark.every_plan
async def test_ensure_post_request_succeeds(suite: Suite) -> None:
    client = await suite.client()
    sent = await suite.person.http.post(
        suite.metadata["authorization_endpoint"],
        data=suite.parameters(client),
        headers={"Origin": "https://elsewhere.example"},
    )
    page = await suite.go_through(await suite.person.open(sent.headers["location"]))
    check_token_response(await suite.redeem(client, suite.answer(page, client)["code"]))


async def test_server_client_secret_post(suite: Suite) -> None:
    await suite.log_in(await suite.client(method="client_secret_post"))


async def test_request_objects_are_rejected_as_unsupported(suite: Suite) -> None:
    """By value and by reference. An error is also returned if only the request object names the state."""
    client = await suite.client()
    by_value = {"request": "eyJhbGciOiJub25lIn0.eyJzdGF0ZSI6ImFiYyJ9."}
    assert await suite.refusal(client, **by_value) == "request_not_supported"
    assert await suite.refusal(client, **by_value, state=None, nonce=None) == "request_not_supported"
    # Under Form Post the suite names the mode only inside the object, and expects the error by that mode.
    inside = urlsafe_b64encode(to_json({"response_mode": suite.plan.response_mode}).encode()).rstrip(b"=").decode()
    assert await suite.refusal(client, request=f"e30.{inside}.", response_mode=None) == "request_not_supported"
    by_reference = {"request_uri": "https://suite.example.net/test/a/requestobject.jwt#abc"}
    assert await suite.refusal(client, **by_reference) == "request_uri_not_supported"


async def test_ensure_request_object_with_redirect_uri(suite: Suite) -> None:
    """An unregistered redirect_uri gives a page, for any content of the request object."""
    client = await suite.client()
    page = await suite.arrive(
        suite.parameters(client, redirect_uri=f"{client.redirect_uri}x", request="eyJhbGciOiJub25lIn0.e30.")
    )
    assert (page.status_code, 'id="error"' in page.text) == (400, True)


async def test_claims_essential(suite: Suite) -> None:
    login = await suite.log_in(await suite.client(), claims=to_json({"userinfo": {"name": {"essential": True}}}))
    assert (await suite.userinfo(login.access_token))["name"]
    assert "name" not in login.claims


@pytest.mark.every_plan
async def test_refresh_token(suite: Suite, clock: MovableClock) -> None:
    grants = ["authorization_code", "refresh_token"]
    one, two = await suite.client(grant_types=grants), await suite.client(grant_types=grants)
    offline: dict[str, Any] = {"scope": "openid offline_access", "prompt": "consent"}
    first = await suite.log_in(one, **offline)
    twos = await suite.log_in(two, browser=suite.op.browser(), **offline)
    clock.advance(seconds=1)
    refreshed = check_token_response(
        await suite.call(
            one, grant_type="refresh_token", refresh_token=first.tokens["refresh_token"], scope=offline["scope"]
        )
    )
    assert (await suite.userinfo(refreshed["access_token"]))["sub"] == first.claims["sub"]
    if "id_token" in refreshed:
        renewed = suite.read(refreshed["id_token"], one)
        for name in ("iss", "sub", "aud", "auth_time", "azp"):
            assert renewed.get(name) == first.claims.get(name)
        assert renewed["iat"] != first.claims["iat"]
    assert check_token_response(
        await suite.call(two, grant_type="refresh_token", refresh_token=twos.tokens["refresh_token"])
    )
    stolen = await suite.call(one, grant_type="refresh_token", refresh_token=twos.tokens["refresh_token"])
    check_token_error(stolen, "invalid_grant")


@pytest.mark.every_plan
async def test_ensure_request_with_valid_pkce_succeeds(suite: Suite) -> None:
    client = await suite.client()
    code = (await suite.authorize(client, code_challenge=CODE_CHALLENGE, code_challenge_method="S256"))["code"]
    check_token_response(await suite.redeem(client, code, code_verifier=CODE_VERIFIER))
