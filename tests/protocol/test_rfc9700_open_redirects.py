"""No automatic redirect to an address that an unauthenticated caller has registered (RFC 9700 §4.11.2)."""

import html
import re
from typing import Any

import httpx
import pytest

from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import OTHER_EMAIL
from tests.support.registration import CALLBACK, GOOD, new_client, relying_party
from tests.support.relying_party import HtmlForm, RelyingParty, answer_of, error_of

INITIAL_ACCESS_TOKEN = "the initial access token, which is long enough"
AFTER_LOGOUT = "https://new.example.org/"

FAULTS: list[dict[str, Any]] = [
    {"response_type": "token"},
    {"response_type": None},
    {"scope": "bogus"},
    {"resource": "https://unknown.example"},
    {"code_challenge": None, "code_challenge_method": None},
    {"prompt": "none"},
    {"prompt": "none login"},
    {"request": "x"},
    {"request_uri": "https://evil.example/request"},
    {"nonce": ["1", "2"]},
    {"id_token_hint": "x"},
    {"claims": "{"},
    {"max_age": "soon"},
]


@pytest.fixture
async def op(auth_sqlite_url: str, clock: MovableClock) -> Any:
    registration = {"mode": "open", "initial_access_token": INITIAL_ACCESS_TOKEN}
    async with running_auth_service(auth_sqlite_url, clock, registration=registration) as running:
        yield running


@pytest.fixture
async def rp(op: AuthService) -> RelyingParty:
    """A client that registered itself without the initial access token, and a browser without a login."""
    return relying_party(op, await new_client(op, post_logout_redirect_uris=[AFTER_LOGOUT]))


def link_on(page: httpx.Response) -> str:
    (link,) = re.findall(r'id="continue" href="([^"]*)"', page.text)
    return html.unescape(link)


def is_leaving_page(page: httpx.Response) -> bool:
    return "Continue to <bdi>new.example.org</bdi>?" in page.text and "registered itself here" in page.text


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_an_error_for_an_unvetted_client_is_shown_on_a_page_that_names_the_target(
    rp: RelyingParty, fault: dict[str, Any]
) -> None:
    page = await rp.authorize(**{"scope": "openid"} | fault)
    assert (page.status_code, is_leaving_page(page)) == (400, True)
    answer = dict(httpx.URL(link_on(page)).params)
    assert link_on(page).startswith(f"{CALLBACK}?")
    assert answer["error"]
    assert f'<code id="error">{answer["error"]}</code>' in page.text
    assert answer["state"] == "a state of the client's"


async def test_an_error_by_form_post_is_not_submitted_automatically(rp: RelyingParty) -> None:
    page = await rp.authorize(scope="openid", prompt="none", response_mode="form_post")
    assert (page.status_code, is_leaving_page(page), "<script" in page.text) == (400, True, False)
    assert "script-src" not in page.headers["content-security-policy"]
    form = HtmlForm.on(page)
    assert (form.action, form.fields["error"]) == (CALLBACK, "login_required")
    assert 'button id="continue"' in page.text


async def test_after_a_consent_errors_are_redirected_without_a_page(op: AuthService, rp: RelyingParty) -> None:
    await rp.authorization_code(scope="openid")
    assert "code" in answer_of(await rp.authorize(scope="openid", prompt="none"))
    assert answer_of(await rp.authorize(scope="openid email", prompt="none"))["error"] == "consent_required"
    assert answer_of(await rp.authorize(scope="openid", response_type="token"))["error"] == "unsupported_response_type"
    another = relying_party(op, await new_client(op))
    another.browser = rp.browser
    assert is_leaving_page(await another.authorize(scope="openid", prompt="none"))


async def test_access_denied_is_redirected_without_a_page(rp: RelyingParty) -> None:
    page = await rp.browser.sign_in(await rp.authorize(scope="openid"))
    assert "new.example.org" in page.text
    assert answer_of(await rp.browser.deny(page))["error"] == "access_denied"


async def test_errors_for_vouched_clients_are_redirected_without_a_page(op: AuthService) -> None:
    assert answer_of(await op.relying_party("third-party").authorize(prompt="none"))["error"] == "login_required"
    bearer = {"Authorization": f"Bearer {INITIAL_ACCESS_TOKEN}"}
    registered = await op.http().post("/register", json=GOOD, headers=bearer)
    with_token = relying_party(op, registered.json())
    assert answer_of(await with_token.authorize(scope="openid", prompt="none"))["error"] == "login_required"


async def test_a_wrong_initial_access_token_is_refused_in_open_mode_too(op: AuthService) -> None:
    wrong = await op.http().post("/register", json=GOOD, headers={"Authorization": "Bearer wrong"})
    assert error_of(wrong) == (401, "invalid_token")


async def test_an_operator_can_vouch_for_an_origin(auth_sqlite_url: str) -> None:
    registration = {"mode": "open", "trusted_redirect_origins": ["https://new.example.org"]}
    async with running_auth_service(auth_sqlite_url, registration=registration) as op:
        rp = relying_party(op, await new_client(op))
        assert answer_of(await rp.authorize(scope="openid", prompt="none"))["error"] == "login_required"
        elsewhere = relying_party(op, await new_client(op, redirect_uris=["https://new.example.org.evil.example/"]))
        assert (await elsewhere.authorize(scope="openid", prompt="none")).status_code == 400


def logout_url(id_token: str) -> str:
    return str(
        httpx.URL("/logout", params={"id_token_hint": id_token, "post_logout_redirect_uri": AFTER_LOGOUT, "state": "1"})
    )


async def test_logout_with_the_id_token_of_another_login_does_not_redirect(op: AuthService, rp: RelyingParty) -> None:
    """The client's developers can sign in themselves, and put their own ID Token into a link."""
    id_token = (await rp.tokens(scope="openid"))["id_token"]
    not_signed_in, other_user = op.browser(), op.browser()
    page = await not_signed_in.open(logout_url(id_token))
    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert "asks us to send you to <b><bdi>new.example.org</bdi>" in page.text
    assert link_on(page) == f"{AFTER_LOGOUT}?state=1"
    await other_user.sign_in(username=OTHER_EMAIL)
    confirmation = await other_user.open(logout_url(id_token))
    assert (confirmation.status_code, "we send you to <b><bdi>new.example.org</bdi>" in confirmation.text) == (
        200,
        True,
    )


async def test_logout_without_a_hint_does_not_redirect(op: AuthService, rp: RelyingParty) -> None:
    query = {"client_id": rp.client_id, "post_logout_redirect_uri": AFTER_LOGOUT}
    page = await rp.browser.open(str(httpx.URL("/logout", params=query)))
    assert (page.status_code, link_on(page)) == (200, AFTER_LOGOUT)


async def test_logout_with_the_id_token_of_this_login_redirects(rp: RelyingParty) -> None:
    id_token = (await rp.tokens(scope="openid"))["id_token"]
    response = await rp.browser.open(logout_url(id_token))
    assert (response.status_code, response.headers["location"]) == (303, f"{AFTER_LOGOUT}?state=1")
