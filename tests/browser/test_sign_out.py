"""Signing out of one app, or of all apps."""

import time

import pytest
from playwright.async_api import BrowserContext, Page, expect

from deploy.local.client_secrets import Account
from tests.browser.monitor import BrowserMonitor
from tests.browser.steps import (
    add_note,
    expect_signed_in,
    expect_signed_out,
    fill_in,
    go_to_sign_in,
    sign_in,
)
from tests.support.demo import Demo, DemoServers

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTIFICATION_TIMEOUT = 3
"""Seconds, on a busy machine. It usually takes a tenth of a second."""


async def sign_in_to_both(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.goto(demo.two)
    await expect_signed_in(page, demo.two, person)
    await page.goto(demo.one)


async def test_signing_out_of_one_app_keeps_the_other_signed_in(page: Page, demo: Demo, person: Account) -> None:
    await sign_in_to_both(page, demo, person)
    await page.click("#sign-out")
    await expect_signed_out(page, demo.one)
    await expect(page.get_by_role("status")).to_contain_text("signed out of this app")
    await page.reload()
    await expect_signed_out(page, demo.one)
    await page.goto(demo.two)
    await expect_signed_in(page, demo.two, person)


async def test_after_signing_out_of_one_app_sign_in_needs_no_password(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.click("#sign-out")
    await expect_signed_out(page, demo.one)
    await page.click("#sign-in")
    await expect_signed_in(page, demo.one, person)


async def test_signing_out_everywhere_ends_the_other_app_at_its_next_token_refresh(
    page: Page, demo: Demo, person: Account
) -> None:
    await sign_in_to_both(page, demo, person)
    await page.click("#sign-out-everywhere")
    await expect_signed_out(page, demo.one)
    await expect(page.get_by_role("status")).to_have_text("You are signed out of all apps in this browser.")
    await page.goto(demo.two)
    await expect_signed_out(page, demo.two)
    await expect(page.get_by_role("status")).to_contain_text("Your login has ended")


@pytest.fixture
def demo_with_long_tokens(long_token_servers: DemoServers, monitor: BrowserMonitor) -> Demo:
    """No app of this demo learns of a sign-out by a token refresh."""
    monitor.origins |= long_token_servers.demo.origins
    return long_token_servers.demo


async def expect_notified(page: Page, app: str) -> None:
    """The next request shows it. The logout token may arrive a moment after the page."""
    give_up_at = time.monotonic() + NOTIFICATION_TIMEOUT
    await page.goto(app)
    while not await page.locator("#sign-in").count():
        assert time.monotonic() < give_up_at, "the app was not notified"
        await page.goto(app)
    await expect_signed_out(page, app)
    await expect(page.get_by_role("status")).to_contain_text("Your login has ended")


@pytest.mark.parametrize("how", ["by the app", "by the sign-in service"])
async def test_signing_out_everywhere_notifies_the_other_app(page: Page, demo_with_long_tokens: Demo, how: str) -> None:
    person = await demo_with_long_tokens.add_person()
    await sign_in_to_both(page, demo_with_long_tokens, person)
    if how == "by the app":
        await page.click("#sign-out-everywhere")
        await expect_signed_out(page, demo_with_long_tokens.one)
    else:
        await page.goto(f"{demo_with_long_tokens.auth}/logout")
        await page.click("#log-out")
        await expect(page).to_have_title("Signed out")
    await expect_notified(page, demo_with_long_tokens.two)


async def test_after_signing_out_everywhere_the_password_is_asked_for_again(
    page: Page, demo: Demo, person: Account
) -> None:
    await sign_in_to_both(page, demo, person)
    await page.click("#sign-out-everywhere")
    await expect_signed_out(page, demo.one)
    await go_to_sign_in(page, demo.two)
    await fill_in(page, person)
    await expect_signed_in(page, demo.two, person)


async def test_the_back_button_shows_no_notes_after_signing_out(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await add_note(page, "A private note")
    await page.click("#sign-out")
    await expect_signed_out(page, demo.one)
    await page.go_back()
    await expect_signed_out(page, demo.one)
    await expect(page.get_by_text("A private note")).to_have_count(0)


async def test_cookies_from_before_the_sign_out_are_not_accepted(
    browser: BrowserContext, page: Page, demo: Demo, person: Account
) -> None:
    await sign_in(page, demo.one, person)
    kept = [
        {"name": cookie["name"], "value": cookie["value"], "domain": cookie["domain"], "path": cookie["path"]}
        for cookie in await browser.cookies()
    ]
    await page.click("#sign-out-everywhere")
    await expect_signed_out(page, demo.one)
    await browser.add_cookies(kept)  # type: ignore[arg-type]
    await page.goto(demo.one)
    await expect_signed_out(page, demo.one)
    await go_to_sign_in(page, demo.one)


async def test_a_link_to_logout_asks_first(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.goto(f"{demo.auth}/logout")
    await expect(page.locator("#log-out")).to_be_visible()
    await expect(page.get_by_text(person.email)).to_be_visible()
    await page.goto(demo.two)
    await expect_signed_in(page, demo.two, person)


async def test_a_user_can_sign_out_on_the_sign_in_service(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.goto(demo.auth)
    await page.get_by_role("link", name="Sign out").click()
    await page.click("#log-out")
    await expect(page).to_have_title("Signed out")
    await page.goto(demo.one)
    await expect_signed_out(page, demo.one)
