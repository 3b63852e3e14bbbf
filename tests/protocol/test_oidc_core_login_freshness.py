"""How old a login may be when the code is issued, and which request it satisfies in which browser (OIDC Core §3)."""

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
async def test_a_login_that_exceeds_max_age_on_the_consent_page_is_repeated(
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
    code = answer_of(await third_party.browser.sign_in(page))["code"]  # without another consent page
    assert await auth_time_of(third_party, code) == clock.now


async def test_a_login_within_max_age_after_the_consent_page_is_not_repeated(
    third_party: RelyingParty, clock: MovableClock
) -> None:
    page = await third_party.sign_in(max_age=20)
    clock.advance(seconds=20)
    assert "code" in answer_of(await third_party.browser.allow(page))


@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"max_age": 0}])
async def test_a_login_for_this_request_stays_valid_while_the_consent_page_is_open(
    third_party: RelyingParty, clock: MovableClock, demand: dict[str, str]
) -> None:
    page = await third_party.sign_in(**demand)
    clock.advance(seconds=600)
    assert "code" in answer_of(await third_party.browser.allow(page))


@pytest.mark.parametrize(("client_id", "more"), [("native", {}), ("third-party", {"prompt": "consent"})])
async def test_login_and_consent_do_not_alternate_for_ever_if_consent_is_always_asked(
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


async def test_prompt_login_is_not_satisfied_by_a_login_in_another_browser(
    auth: AuthService, third_party: RelyingParty
) -> None:
    """The URL of the consent page holds the signed request, and can be opened in any browser."""
    page = await third_party.sign_in(prompt="login")
    assert CONSENT in page.text
    elsewhere = auth.browser()
    await elsewhere.sign_in()  # not for this request
    opened = await elsewhere.open(str(page.url))
    assert LOGIN in opened.text
    page = await elsewhere.sign_in(opened)
    assert CONSENT in page.text
    assert "code" in answer_of(await elsewhere.allow(page))


async def test_prompt_login_cannot_be_skipped_by_opening_the_consent_page(
    auth: AuthService, third_party: RelyingParty
) -> None:
    page = await third_party.authorize(prompt="login")
    signed_state = page.url.params["request"]
    elsewhere = auth.browser()
    await elsewhere.sign_in()
    assert LOGIN in (await elsewhere.open(f"/consent?request={signed_state}")).text


async def test_reopening_the_consent_page_after_consent_continues_to_the_client(third_party: RelyingParty) -> None:
    page = await third_party.sign_in()
    assert "code" in answer_of(await third_party.browser.allow(page))
    assert "code" in answer_of(await third_party.browser.open(str(page.url)))
