"""examples/spa beside the demo, on loopback, where the issuer asks for consent at each sign-in (RFC 8252 §8.6)."""

import pytest
from playwright.async_api import Page, expect

from deploy.local.client_secrets import Account
from tests.browser.conftest import OpenBrowser
from tests.browser.steps import fill_in
from tests.browser.test_accessibility import Checker
from tests.browser.test_page_appearance import PageChecker
from tests.support.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_page_on_loopback_asks_after_a_reload_and_needs_no_password(
    page: Page, demo: Demo, person: Account
) -> None:
    await page.goto(demo.spa)
    await page.click("#sign-in")
    await fill_in(page, person)
    await page.click("#allow")
    await expect(page.locator("#user-email")).to_have_text(person.email)
    await page.reload()
    await expect(page.locator("#message")).to_contain_text("asks you for your consent first")
    await page.click("#sign-in")
    await page.click("#allow")
    await expect(page.locator("#empty")).to_be_visible()


async def test_the_page_has_enough_contrast_fits_the_window_and_passes_axe(
    open_browser: OpenBrowser, demo: Demo, person: Account
) -> None:
    browser = await open_browser(reduced_motion="reduce", bypass_csp=True)  # axe is injected
    page = await browser.new_page()
    looks, axe = PageChecker(page, await browser.new_cdp_session(page)), Checker(page)

    async def check(name: str) -> None:
        await looks.check(name)
        await axe.check(name)

    await page.goto(demo.spa)
    await expect(page.locator("#sign-in")).to_be_visible()
    await check("spa-signed-out")
    await page.click("#sign-in")
    await fill_in(page, person)
    await page.click("#allow")
    for title in ("Groceries", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk" * 3):
        await page.fill("#title", title)
        await page.click("#add-note")
        await expect(page.locator("#notes li").first).to_have_text(title)
    await check("spa-notes")
    assert not looks.faults + axe.violations, "\n".join(looks.faults + axe.violations)
