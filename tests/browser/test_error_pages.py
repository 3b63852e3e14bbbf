"""Error pages: each kind of wrong request has its own page, and none leads to a redirect."""

import re
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, expect

from deploy.local.client_secrets import Account
from tests.browser.steps import expect_signed_in, expect_signed_out, sign_in
from tests.support.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRONG_REQUESTS = {
    "unknown client": (
        "authorize",
        {"client_id": "nobody"},
        ("invalid_client", "We do not know this app"),
    ),
    "no redirect_uri": (
        "authorize",
        {"client_id": "notes-docs"},
        ("invalid_request", "The app did not say where to go back to"),
    ),
    "unregistered redirect_uri": (
        "authorize",
        {"client_id": "notes-docs", "redirect_uri": "https://evil.example/callback"},
        ("invalid_request", "We will not send you there"),
    ),
    "malformed encoding": (
        "authorize",
        {"client_id": b"\xff"},
        ("invalid_request", "We could not read this request"),
    ),
    "altered state": (
        "login",
        {"request": "e30.AAAA"},
        ("invalid_request", "We could not read this request"),
    ),
}


@pytest.mark.parametrize(("path", "query", "expected"), WRONG_REQUESTS.values(), ids=WRONG_REQUESTS.keys())
async def test_each_kind_of_wrong_request_has_its_own_page(
    page: Page, demo: Demo, path: str, query: dict[str, str | bytes], expected: tuple[str, str]
) -> None:
    answer = await page.goto(f"{demo.auth}/{path}?{urlencode(query)}")
    assert answer is not None
    assert 400 <= answer.status < 500
    error, title = expected
    await expect(page.locator("#error")).to_have_text(error)
    await expect(page.locator("h1")).to_have_text(title)
    await expect(page).to_have_url(re.compile(f"^{re.escape(demo.auth)}/"))


async def test_error_page_shows_the_beginning_of_the_request_id(page: Page, demo: Demo) -> None:
    answer = await page.goto(f"{demo.auth}/authorize?client_id=nobody")
    assert answer is not None
    shown = await page.locator("#reference").inner_text()
    assert len(shown) == 12
    assert (await answer.all_headers())["x-request-id"].startswith(shown)


async def test_no_text_of_the_url_is_shown(page: Page, demo: Demo) -> None:
    await page.goto(f"{demo.auth}/authorize?{urlencode({'client_id': '<b>Call 555-0100 to unlock</b>'})}")
    await expect(page.locator("#error")).to_be_visible()
    await expect(page.get_by_text("555-0100")).to_have_count(0)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"error": "access_denied", "state": "forged"}, "You chose not to let this app in."),
        ({"code": "stolen", "state": "forged"}, "The sign-in took too long, or was begun in another window."),
        ({}, "The sign-in took too long, or was begun in another window."),
    ],
    ids=["denied", "forged", "empty"],
)
async def test_an_invalid_callback_shows_a_message_on_the_start_page(
    page: Page, demo: Demo, query: dict[str, str], message: str
) -> None:
    issuer = {"iss": demo.auth} if query else {}
    await page.goto(f"{demo.one}/callback?{urlencode(query | issuer)}")
    await expect_signed_out(page, demo.one)
    await expect(page.get_by_role("status")).to_contain_text(message)
    await page.reload()
    await expect(page.get_by_role("status")).to_have_count(0)


async def test_a_forged_callback_does_not_end_the_session(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.goto(f"{demo.one}/callback?{urlencode({'code': 'x', 'state': 'y', 'iss': demo.auth})}")
    await expect_signed_in(page, demo.one, person)


async def test_an_unknown_path_links_to_the_start_page(page: Page, demo: Demo) -> None:
    answer = await page.goto(f"{demo.one}/nowhere")
    assert answer is not None
    assert answer.status == 404
    await page.get_by_role("link", name="Back to App One").click()
    await expect_signed_out(page, demo.one)
