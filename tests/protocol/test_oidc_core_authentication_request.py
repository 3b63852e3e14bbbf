"""The authentication request (OIDC Core §3.1.2.1): prompt, max_age, login_hint, id_token_hint."""

from typing import Any

import pytest

from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import OTHER_EMAIL
from tests.support.relying_party import RelyingParty, answer_of, claims_of


def is_login_page(page: Any) -> bool:
    return 'id="sign-in"' in page.text


async def test_a_signed_in_user_gets_no_login_page_for_any_client(auth: AuthService, rp: RelyingParty) -> None:
    await rp.sign_in()
    assert "code" in answer_of(await rp.authorize())
    other = auth.relying_party("app-two", rp.browser)
    assert "code" in answer_of(await other.authorize())


async def test_prompt_none_shows_no_page(rp: RelyingParty) -> None:
    assert answer_of(await rp.authorize(prompt="none"))["error"] == "login_required"
    await rp.sign_in()
    assert "code" in answer_of(await rp.authorize(prompt="none"))


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
async def test_prompt_login_shows_the_login_page_to_a_signed_in_user(
    rp: RelyingParty, clock: MovableClock, prompt: str
) -> None:
    await rp.sign_in()
    clock.advance(seconds=10)
    page = await rp.authorize(prompt=prompt)
    assert is_login_page(page)
    clock.advance(seconds=10)
    page = await rp.browser.sign_in(page)
    if "consent" in prompt:
        page = await rp.browser.allow(page)
    tokens = (await rp.token(answer_of(page)["code"])).json()
    assert claims_of(tokens["id_token"])["auth_time"] == clock.now


async def test_a_login_in_the_same_second_as_the_request_is_not_fresh(rp: RelyingParty) -> None:
    await rp.sign_in()
    assert is_login_page(await rp.authorize(prompt="login"))


async def test_opening_the_request_again_does_not_satisfy_prompt_login(rp: RelyingParty) -> None:
    await rp.sign_in()
    for _ in range(2):
        assert is_login_page(await rp.authorize(prompt="login"))


@pytest.mark.parametrize(("max_age", "age", "asks"), [(60, 60, False), (60, 61, True), (0, 0, True), (0, 5, True)])
async def test_a_login_older_than_max_age_is_repeated(
    rp: RelyingParty, clock: MovableClock, max_age: int, age: int, asks: bool
) -> None:
    await rp.sign_in()
    clock.advance(seconds=age)
    page = await rp.authorize(max_age=max_age)
    assert is_login_page(page) is asks
    silent = answer_of(await rp.authorize(max_age=max_age, prompt="none"))
    assert silent.get("error") == ("login_required" if asks else None)
    if asks:
        page = await rp.browser.sign_in(page)
    assert claims_of((await rp.token(answer_of(page)["code"])).json()["id_token"])["auth_time"] >= clock.now - max_age


async def test_login_hint_only_fills_in_the_email_field(rp: RelyingParty) -> None:
    page = await rp.authorize(login_hint='"><b>ada@example.com')
    assert 'value="&#34;&gt;&lt;b&gt;ada@example.com"' in page.text
    page = await rp.authorize(login_hint="grace@example.com")
    assert 'value="grace@example.com"' in page.text
    assert "code" in answer_of(await rp.browser.sign_in(page))


async def test_an_id_token_hint_of_the_signed_in_user_changes_nothing(rp: RelyingParty, clock: MovableClock) -> None:
    hint = (await rp.tokens())["id_token"]
    clock.advance(seconds=3600)
    assert "code" in answer_of(await rp.authorize(id_token_hint=hint, prompt="none"))


async def test_an_id_token_hint_of_another_user_shows_the_login_page(auth: AuthService, rp: RelyingParty) -> None:
    elsewhere = auth.relying_party("app-one")
    page = await elsewhere.authorize()
    code = answer_of(await elsewhere.browser.sign_in(page, username=OTHER_EMAIL))["code"]
    hint = (await elsewhere.token(code)).json()["id_token"]
    await rp.sign_in()
    assert answer_of(await rp.authorize(id_token_hint=hint, prompt="none"))["error"] == "login_required"
    page = await rp.authorize(id_token_hint=hint)
    assert is_login_page(page)
    assert "code" in answer_of(await rp.browser.sign_in(page, username=OTHER_EMAIL))


async def test_an_id_token_hint_must_be_an_id_token_of_the_same_client(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await auth.relying_party("app-two").tokens()
    for hint in (tokens["id_token"], tokens["access_token"], (await rp.tokens())["access_token"]):
        assert answer_of(await rp.authorize(id_token_hint=hint))["error"] == "invalid_request"


async def test_a_request_for_plain_oauth_gets_no_id_token(rp: RelyingParty) -> None:
    assert "id_token" not in await rp.tokens(scope="notes:read")


@pytest.mark.parametrize("unknown", [{"display": "page"}, {"ui_locales": "de"}, {"acr_values": "x"}, {"vendor": "x"}])
async def test_unknown_parameters_are_ignored(rp: RelyingParty, unknown: dict[str, str]) -> None:
    assert "code" in answer_of(await rp.sign_in(**unknown))
