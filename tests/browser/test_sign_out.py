"""Out of one app, or out of all: what ends, what goes on, and when."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from deploy.local.client_secrets import Account
from tests.browser.steps import (
    add_note,
    expect_signed_in,
    expect_signed_out,
    fill_in,
    go_to_sign_in,
    sign_in,
)
from tests.browser.watch import Watch
from tests.support.demo import Demo, running_demo

pytestmark = pytest.mark.asyncio(loop_scope="session")

A_MOMENT = 3
"""Seconds, on a busy machine; usually it takes a tenth of one."""


async def sign_in_to_both(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.goto(demo.two)
    await expect_signed_in(page, demo.two, person)
    await page.goto(demo.one)


async def test_signing_out_here_ends_this_app_and_no_other(page: Page, demo: Demo, person: Account) -> None:
    await sign_in_to_both(page, demo, person)
    await page.click("#sign-out")
    await expect_signed_out(page, demo.one)
    await expect(page.get_by_role("status")).to_contain_text("signed out of this app")
    await page.reload()
    await expect_signed_out(page, demo.one)
    await page.goto(demo.two)
    await expect_signed_in(page, demo.two, person)


async def test_after_signing_out_here_the_login_itself_lets_one_back_in(
    page: Page, demo: Demo, person: Account
) -> None:
    await sign_in(page, demo.one, person)
    await page.click("#sign-out")
    await expect_signed_out(page, demo.one)
    await page.click("#sign-in")
    await expect_signed_in(page, demo.one, person)


async def test_signing_out_everywhere_ends_the_other_app_at_its_next_refresh(
    page: Page, demo: Demo, person: Account
) -> None:
    await sign_in_to_both(page, demo, person)
    await page.click("#sign-out-everywhere")
    await expect_signed_out(page, demo.one)
    await expect(page.get_by_role("status")).to_have_text("You are signed out of all apps in this browser.")
    await page.goto(demo.two)
    await expect_signed_out(page, demo.two)
    await expect(page.get_by_role("status")).to_contain_text("Your login has ended")


@pytest_asyncio.fixture(loop_scope="session")
async def patient_demo(tmp_path: Path, watch: Watch) -> AsyncIterator[Demo]:
    """One whose access tokens live an hour, so that no app hears of the end of a login by refreshing them."""
    with running_demo(tmp_path, AUTH_LIFETIMES__ACCESS_TOKEN="3600") as running:
        watch.origins |= running.origins
        yield running


async def expect_told_of_the_end(page: Page, app: str) -> None:
    """The next click shows it. Nobody waits for the message to the apps, so it may be a moment behind the page."""
    give_up_at = time.monotonic() + A_MOMENT
    await page.goto(app)
    while not await page.locator("#sign-in").count():
        assert time.monotonic() < give_up_at, "nobody told the app"
        await page.goto(app)
    await expect_signed_out(page, app)
    await expect(page.get_by_role("status")).to_contain_text("Your login has ended")


@pytest.mark.parametrize("how", ["by the app", "by the sign-in service"])
async def test_signing_out_everywhere_ends_the_other_app_at_once(page: Page, patient_demo: Demo, how: str) -> None:
    person = await patient_demo.add_person()
    await sign_in_to_both(page, patient_demo, person)
    if how == "by the app":
        await page.click("#sign-out-everywhere")
        await expect_signed_out(page, patient_demo.one)
    else:
        await page.goto(f"{patient_demo.auth}/logout")
        await page.click("#log-out")
        await expect(page).to_have_title("Signed out")
    await expect_told_of_the_end(page, patient_demo.two)


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
    await add_note(page, "Nobody else's business")
    await page.click("#sign-out")
    await expect_signed_out(page, demo.one)
    await page.go_back()
    await expect_signed_out(page, demo.one)
    await expect(page.get_by_text("Nobody else's business")).to_have_count(0)


async def test_a_cookie_kept_from_before_is_worth_nothing(
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


async def test_a_link_alone_signs_nobody_out(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.goto(f"{demo.auth}/logout")
    await expect(page.locator("#log-out")).to_be_visible()
    await expect(page.get_by_text(person.email)).to_be_visible()
    await page.goto(demo.two)
    await expect_signed_in(page, demo.two, person)


async def test_the_sign_in_service_itself_signs_one_out_when_asked(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.goto(demo.auth)
    await page.get_by_role("link", name="Sign out").click()
    await page.click("#log-out")
    await expect(page).to_have_title("Signed out")
    await page.goto(demo.one)
    await expect_signed_out(page, demo.one)
