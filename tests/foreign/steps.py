"""The steps of a user in apps of other projects."""

from playwright.async_api import Page, expect

from tests.browser.steps import fill_in
from tests.support.front import Front


async def sign_in_at_rp(page: Page, rp: str, front: Front) -> None:
    """Open Apache's protected page and sign in; the browser has no login session yet."""
    await page.goto(f"{rp}/private/")
    await expect(page).to_have_title("Sign in")
    await fill_in(page, front.account)
    await expect(page).to_have_title("Private")


async def sign_in_at_spa(page: Page, spa: str, front: Front) -> None:
    """Sign in at the single-page app. For a public client on loopback, the consent page is always shown."""
    await page.goto(spa)
    await page.click("#sign-in")
    await expect(page).to_have_title("Sign in")
    await fill_in(page, front.account)
    await page.click("#allow")
    await expect(page.locator("#email")).to_have_text(front.account.email)
