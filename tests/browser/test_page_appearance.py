"""Every page in light, in dark and on a phone: screenshots are kept, and the page is measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import CDPSession, Page, expect

from deploy.local.client_secrets import Account
from tests.browser.conftest import OpenBrowser, save_screenshot
from tests.browser.steps import add_note, expect_signed_out, fill_in, go_to_sign_in
from tests.support.demo import Demo
from tests.support.waiting import until_it_is

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE_FAULTS_JS = (Path(__file__).parent / "page_faults.js").read_text()

NOTES = (
    ("Analytical Engine, note G", "Bernoulli numbers without working out by human head and hands first."),
    ("A word that is longer than a phone is wide", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk" * 2),
    ("Groceries", "tea\ngoat cheese\nink, blue-black"),
)


@dataclass(frozen=True)
class Look:
    color_scheme: Literal["light", "dark"]
    width: int
    height: int
    is_phone: bool


LOOKS = {
    "light": Look("light", 1100, 800, is_phone=False),
    "dark": Look("dark", 1100, 800, is_phone=False),
    "phone": Look("light", 390, 844, is_phone=True),
    "phone-dark": Look("dark", 390, 844, is_phone=True),
}


class PageChecker:
    """Shows each page in all looks, saves a screenshot of each, and collects the faults of all pages."""

    def __init__(self, page: Page, devtools: CDPSession) -> None:
        self._page = page
        self._devtools = devtools
        self.faults: list[str] = []

    async def check(self, name: str) -> None:
        for folder, look in LOOKS.items():
            await self._show(look)
            self.faults += [f"{name}, {folder}: {fault}" for fault in await self._page.evaluate(PAGE_FAULTS_JS)]
            await save_screenshot(self._page, name, folder=folder)  # last, because it changes the size of the window

    async def _show(self, look: Look) -> None:
        await self._page.emulate_media(color_scheme=look.color_scheme)
        size = {"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": look.is_phone}
        await self._devtools.send("Emulation.clearDeviceMetricsOverride")  # without this, an equal size has no effect
        await self._devtools.send("Emulation.setDeviceMetricsOverride", size)
        await until_it_is(lambda: self._has_width(look.width))

    async def _has_width(self, width: int) -> bool:
        return bool(await self._page.evaluate("document.documentElement.clientWidth") == width)


async def test_every_page_has_enough_contrast_and_fits_the_window(
    open_browser: OpenBrowser, demo: Demo, person: Account
) -> None:
    browser = await open_browser(reduced_motion="reduce")
    page = await browser.new_page()
    checker = PageChecker(page, await browser.new_cdp_session(page))

    await page.goto(demo.auth)
    await checker.check("auth-index")
    await page.goto(f"{demo.auth}/authorize?client_id=nobody")
    await checker.check("auth-error")
    await page.goto(demo.two)
    await checker.check("app-two-welcome")
    await go_to_sign_in(page, demo.one)
    await checker.check("login")
    await fill_in(page, Account(person.email, "not the password"))
    await expect(page.get_by_role("alert")).to_be_visible()
    await checker.check("login-failed")
    await fill_in(page, person)

    await expect(page.locator("#user-email")).to_be_visible()
    await checker.check("app-one-empty")
    for title, body in NOTES:
        await add_note(page, title, body)
    await checker.check("app-one-notes")
    await page.locator(".behind summary").click()
    await page.locator(".entry summary").first.click()
    await checker.check("app-one-unfolded")
    await page.click("#delete-all-notes")
    await checker.check("app-one-delete-all")
    await demo.age_login(person, seconds=3600)
    await page.click("#delete-all-for-good")
    await expect(page).to_have_title("Sign in")
    await fill_in(page, person)
    await expect(page.get_by_role("status")).to_be_visible()
    await checker.check("app-one-delete-all-confirm")
    await page.goto(f"{demo.one}/nowhere")
    await checker.check("app-one-trouble")
    await page.goto(demo.two)
    await page.click("#sign-in")  # the app remembers that its first visit found no login
    await expect(page.locator(".entry")).to_have_count(len(NOTES))
    await checker.check("app-two-notes")

    query = f"response_type=code&client_id=notes-docs&redirect_uri={demo.api}/docs/oauth2-redirect"
    challenge = f"code_challenge={'A' * 43}&code_challenge_method=S256"
    await page.goto(f"{demo.auth}/authorize?{query}&{challenge}&scope=openid+notes:read+notes:write")
    await expect(page.locator("#allow")).to_be_visible()
    await checker.check("consent")
    await page.goto(demo.auth)
    await checker.check("auth-signed-in")
    await page.goto(f"{demo.auth}/logout")
    await checker.check("logout")
    await page.click("#log-out")
    await expect(page).to_have_title("Signed out")
    await checker.check("logged-out")
    await page.goto(demo.one)
    await expect_signed_out(page, demo.one)
    await checker.check("app-one-ended")

    assert not checker.faults, "\n".join(checker.faults)
