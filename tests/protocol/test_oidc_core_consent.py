"""Consent (OIDC Core §3.1.2.4): users decide about clients that are not first-party, and the decision is stored."""

import pytest

from auth_service.store.users import consents, users
from tests.support.auth_service import AuthService
from tests.support.declared import EMAIL, OTHER_EMAIL
from tests.support.relying_party import RelyingParty, answer_of, error_of

pytestmark = pytest.mark.postgresql


@pytest.fixture
def third_party(auth: AuthService) -> RelyingParty:
    return auth.relying_party("third-party")


async def sub_of_ada(auth: AuthService) -> str:
    sub = await auth.store.read(users.find_sub, EMAIL)
    assert sub
    return sub


async def test_the_consent_page_names_client_scopes_user_and_target(third_party: RelyingParty) -> None:
    page = await third_party.sign_in()
    for text in (
        "Third Party",
        "Read your notes",
        "notes:read",
        "Know that it is you",
        EMAIL,
        "third-party.example.org",
    ):
        assert text in page.text


async def test_stored_consent_is_not_asked_for_again(third_party: RelyingParty) -> None:
    assert "code" in answer_of(await third_party.browser.allow(await third_party.sign_in()))
    assert "code" in answer_of(await third_party.authorize(prompt="none"))
    assert "code" in answer_of(await third_party.authorize(scope="openid"))


async def test_a_new_scope_is_asked_for_and_added_to_the_consent(third_party: RelyingParty) -> None:
    await third_party.authorization_code()
    assert answer_of(await third_party.authorize(scope="openid email", prompt="none"))["error"] == "consent_required"
    page = await third_party.authorize(scope="openid email")
    assert 'id="allow"' in page.text
    await third_party.browser.allow(page)
    assert "code" in answer_of(await third_party.authorize(scope="openid email notes:read", prompt="none"))


async def test_deny_sends_access_denied_and_stores_no_consent(third_party: RelyingParty) -> None:
    answer = answer_of(await third_party.browser.deny(await third_party.sign_in()))
    assert answer["error"] == "access_denied"
    assert answer["state"] == "a state of the client's"
    assert answer_of(await third_party.authorize(prompt="none"))["error"] == "consent_required"


async def test_prompt_consent_asks_again_also_for_a_first_party_client(auth: AuthService, rp: RelyingParty) -> None:
    assert "code" in answer_of(await rp.sign_in())
    for client_id in ("app-one", "third-party"):
        client = auth.relying_party(client_id, rp.browser)
        for _ in range(2):
            page = await client.authorize(prompt="consent")
            assert 'id="allow"' in page.text
            assert "code" in answer_of(await rp.browser.allow(page))


async def test_consent_is_stored_per_user(auth: AuthService, third_party: RelyingParty) -> None:
    await third_party.authorization_code()
    elsewhere = auth.relying_party("third-party")
    page = await elsewhere.browser.sign_in(await elsewhere.authorize(), username=OTHER_EMAIL)
    assert 'id="allow"' in page.text


@pytest.mark.parametrize("skew", [-59, 0, 59])
async def test_withdrawing_the_consent_voids_codes_also_when_the_clock_is_wrong(
    auth: AuthService, third_party: RelyingParty, skew: int
) -> None:
    await third_party.tokens()
    code = await third_party.authorization_code()
    assert await auth.store.write(
        consents.withdraw_consent, await sub_of_ada(auth), "third-party", now=auth.clock() + skew
    )
    assert error_of(await third_party.token(code)) == (400, "invalid_grant")


async def test_withdrawing_the_consent_revokes_tokens_and_codes(auth: AuthService, third_party: RelyingParty) -> None:
    tokens = await third_party.tokens(scope="openid offline_access")
    code = await third_party.authorization_code(scope="openid")
    assert await auth.store.write(consents.withdraw_consent, await sub_of_ada(auth), "third-party", now=auth.clock())
    assert error_of(await third_party.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert (await third_party.userinfo(tokens["access_token"])).status_code == 401
    assert answer_of(await third_party.authorize(prompt="none"))["error"] == "consent_required"
    assert error_of(await third_party.token(code)) == (400, "invalid_grant")


async def test_the_consent_form_works_only_in_the_login_session_that_it_was_shown_to(
    auth: AuthService, third_party: RelyingParty
) -> None:
    page = await third_party.sign_in()
    other = auth.relying_party("third-party")
    await other.browser.sign_in(await other.authorize(), username=OTHER_EMAIL)
    assert (await other.browser.allow(page)).status_code == 403
    assert "no longer signed in" in (await auth.browser().allow(page)).text


@pytest.mark.parametrize("csrf", [None, "", "x" * 43, "é"])
async def test_a_consent_form_without_its_csrf_token_is_refused(third_party: RelyingParty, csrf: str | None) -> None:
    page = await third_party.sign_in()
    response = await third_party.browser.submit(page, decision="allow", csrf=csrf)
    assert response.status_code == 403
    assert answer_of(await third_party.authorize(prompt="none"))["error"] == "consent_required"


async def test_a_csrf_token_works_only_for_its_own_request(third_party: RelyingParty) -> None:
    small = await third_party.sign_in(scope="openid")
    large = await third_party.authorize(scope="openid email notes:write")
    assert (
        await third_party.browser.submit(small, decision="allow", request=large.url.params["request"])
    ).status_code == 403


async def test_a_consent_form_of_another_origin_is_refused(third_party: RelyingParty) -> None:
    page = await third_party.sign_in()
    for origin in ("https://evil.example", "null"):
        assert (await third_party.browser.submit(page, decision="allow", origin=origin)).status_code == 403
