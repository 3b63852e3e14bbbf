"""How old a login may be when the code is issued, and which request in which browser it answers (OIDC Core §3)."""

import pytest

from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.relying_party import RelyingParty, answer_of, claims_of

LOGIN, CONSENT = 'id="sign-in"', 'id="allow"'


@pytest.fixture
def third_party(auth: AuthService) -> RelyingParty:
    return auth.relying_party("third-party")


async def auth_time_of(rp: RelyingParty, code: str) -> int:
    claims = claims_of((await rp.token(code)).json()["id_token"])
    return int(claims["auth_time"])


@pytest.mark.parametrize("signs_in_before", [True, False])
async def test_a_login_that_grows_too_old_while_the_consent_page_is_open_is_repeated(
    third_party: RelyingParty, clock: MovableClock, signs_in_before: bool
) -> None:
    if signs_in_before:
        await third_party.browser.sign_in()
        page = await third_party.authorize(max_age=5)
    else:
        page = await third_party.sign_in(max_age=5)
    assert CONSENT in page.text
    clock.advance(seconds=20)
    page = await third_party.browser.allow(page)
    assert LOGIN in page.text
    clock.advance(seconds=20)
    code = answer_of(await third_party.browser.sign_in(page))["code"]  # the consent is not asked for again
    assert await auth_time_of(third_party, code) == clock.now


async def test_a_login_that_is_young_enough_after_the_consent_page_is_not_repeated(
    third_party: RelyingParty, clock: MovableClock
) -> None:
    page = await third_party.sign_in(max_age=20)
    clock.advance(seconds=20)
    assert "code" in answer_of(await third_party.browser.allow(page))


@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"max_age": 0}])
async def test_a_login_for_this_request_is_enough_however_long_the_consent_page_is_open(
    third_party: RelyingParty, clock: MovableClock, demand: dict[str, str]
) -> None:
    page = await third_party.sign_in(**demand)
    clock.advance(seconds=600)
    assert "code" in answer_of(await third_party.browser.allow(page))


@pytest.mark.parametrize(("client_id", "more"), [("native", {}), ("third-party", {"prompt": "consent"})])
async def test_where_consent_is_asked_each_time_login_and_consent_do_not_alternate_for_ever(
    auth: AuthService, clock: MovableClock, client_id: str, more: dict[str, str]
) -> None:
    rp = auth.relying_party(client_id)
    await rp.browser.sign_in()
    page = await rp.authorize(max_age=5, **more)
    clock.advance(seconds=20)
    page = await rp.browser.allow(page)
    assert LOGIN in page.text
    page = await rp.browser.sign_in(page)
    assert CONSENT in page.text
    clock.advance(seconds=20)
    assert "code" in answer_of(await rp.browser.allow(page))


async def test_a_login_in_one_browser_does_not_answer_a_request_for_a_login_that_was_begun_in_another(
    auth: AuthService, third_party: RelyingParty
) -> None:
    """The address of the consent page, with the request sealed in it, can be sent to anybody."""
    page = await third_party.sign_in(prompt="login")
    assert CONSENT in page.text
    elsewhere = auth.browser()
    await elsewhere.sign_in()  # for something else
    opened = await elsewhere.open(str(page.url))
    assert LOGIN in opened.text
    page = await elsewhere.sign_in(opened)
    assert CONSENT in page.text
    assert "code" in answer_of(await elsewhere.allow(page))


async def test_a_request_for_a_login_cannot_skip_the_login_page_by_way_of_the_consent_page(
    auth: AuthService, third_party: RelyingParty
) -> None:
    page = await third_party.authorize(prompt="login")
    sealed = page.url.params["request"]
    elsewhere = auth.browser()
    await elsewhere.sign_in()
    assert LOGIN in (await elsewhere.open(f"/consent?request={sealed}")).text


async def test_a_consent_page_that_is_opened_again_goes_on(third_party: RelyingParty) -> None:
    page = await third_party.sign_in()
    assert "code" in answer_of(await third_party.browser.allow(page))
    assert "code" in answer_of(await third_party.browser.open(str(page.url)))
