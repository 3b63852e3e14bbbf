"""Every page in light, in dark and on a phone: screenshots are kept, and the page is measured."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from deploy.local.client_secrets import Account
from tests.browser.conftest import OpenBrowser, save_screenshot
from tests.browser.steps import add_note, expect_signed_out, fill_in, go_to_sign_in
from tests.support.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE_FAULTS_JS = (Path(__file__).parent / "page_faults.js").read_text()
DESK = {"width": 1100, "height": 800}
PHONE = {"width": 390, "height": 844}

NOTES = (
    ("Analytical Engine, note G", "Bernoulli numbers without working out by human head and hands first."),
    ("A word that is longer than a phone is wide", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk" * 2),
    ("Groceries", "tea\ngoat cheese\nink, blue-black"),
)


class PageChecker:
    """Saves a screenshot of each page, and collects the faults of all pages."""

    def __init__(self, page: Page, folder: str) -> None:
        self._page = page
        self._folder = folder
        self.faults: list[str] = []

    async def check(self, name: str) -> None:
        await save_screenshot(self._page, name, folder=self._folder)
        self.faults += [f"{name}: {fault}" for fault in await self._page.evaluate(PAGE_FAULTS_JS)]


LOOKS: dict[str, dict[str, object]] = {
    "light": {"color_scheme": "light", "viewport": DESK},
    "dark": {"color_scheme": "dark", "viewport": DESK},
    "phone": {"color_scheme": "light", "viewport": PHONE, "is_mobile": True},
    "phone-dark": {"color_scheme": "dark", "viewport": PHONE, "is_mobile": True},
}


@pytest.mark.parametrize("look", LOOKS)
async def test_every_page_has_enough_contrast_and_fits_the_window(
    look: str, open_browser: OpenBrowser, demo: Demo, person: Account
) -> None:
    page = await (await open_browser(reduced_motion="reduce", **LOOKS[look])).new_page()
    checker = PageChecker(page, look)

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
