"""What a person is told when something is wrong with a request: another page for each kind, never a redirect."""

import re
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, expect

from deploy.local.client_secrets import Account
from tests.browser.steps import expect_signed_in, expect_signed_out, sign_in
from tests.support.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRONG_REQUESTS = {
    "of a client that nobody knows": (
        "authorize",
        {"client_id": "nobody"},
        ("invalid_client", "We do not know this app"),
    ),
    "without an address to go back to": (
        "authorize",
        {"client_id": "notes-docs"},
        ("invalid_request", "The app did not say where to go back to"),
    ),
    "with an address that is not registered": (
        "authorize",
        {"client_id": "notes-docs", "redirect_uri": "https://evil.example/callback"},
        ("invalid_request", "We will not send you there"),
    ),
    "that is not properly encoded": (
        "authorize",
        {"client_id": b"\xff"},
        ("invalid_request", "We could not read this request"),
    ),
    "for the login page, altered": (
        "login",
        {"request": "e30.AAAA"},
        ("invalid_request", "We could not read this request"),
    ),
}


@pytest.mark.parametrize(("path", "query", "told"), WRONG_REQUESTS.values(), ids=WRONG_REQUESTS.keys())
async def test_a_wrong_request_is_told_apart(
    page: Page, demo: Demo, path: str, query: dict[str, str | bytes], told: tuple[str, str]
) -> None:
    answer = await page.goto(f"{demo.auth}/{path}?{urlencode(query)}")
    assert answer is not None
    assert 400 <= answer.status < 500
    error, title = told
    await expect(page.locator("#error")).to_have_text(error)
    await expect(page.locator("h1")).to_have_text(title)
    await expect(page).to_have_url(re.compile(f"^{re.escape(demo.auth)}/"))


async def test_error_page_shows_a_short_reference_that_the_log_finds(page: Page, demo: Demo) -> None:
    answer = await page.goto(f"{demo.auth}/authorize?client_id=nobody")
    assert answer is not None
    shown = await page.locator("#reference").inner_text()
    assert len(shown) == 12
    assert (await answer.all_headers())["x-request-id"].startswith(shown)


async def test_nothing_that_came_in_the_url_is_shown(page: Page, demo: Demo) -> None:
    await page.goto(f"{demo.auth}/authorize?{urlencode({'client_id': '<b>Call 555-0100 to unlock</b>'})}")
    await expect(page.locator("#error")).to_be_visible()
    await expect(page.get_by_text("555-0100")).to_have_count(0)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"error": "access_denied", "state": "forged"}, "You chose not to let this app in."),
        ({"code": "stolen", "state": "forged"}, "The sign-in took too long, or was begun in another window."),
        ({}, "The sign-in took too long, or was begun in another window."),
    ],
    ids=["denied", "forged", "empty"],
)
async def test_a_way_back_that_leads_nowhere_ends_kindly_at_the_app(
    page: Page, demo: Demo, query: dict[str, str], told: str
) -> None:
    issuer = {"iss": demo.auth} if query else {}
    await page.goto(f"{demo.one}/callback?{urlencode(query | issuer)}")
    await expect_signed_out(page, demo.one)
    await expect(page.get_by_role("status")).to_contain_text(told)
    await page.reload()
    await expect(page.get_by_role("status")).to_have_count(0)


async def test_a_forged_way_back_ends_no_session(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.goto(f"{demo.one}/callback?{urlencode({'code': 'x', 'state': 'y', 'iss': demo.auth})}")
    await expect_signed_in(page, demo.one, person)


async def test_an_address_with_nothing_at_it_leads_back(page: Page, demo: Demo) -> None:
    answer = await page.goto(f"{demo.one}/nowhere")
    assert answer is not None
    assert answer.status == 404
    await page.get_by_role("link", name="Back to App One").click()
    await expect_signed_out(page, demo.one)
