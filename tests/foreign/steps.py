"""What people do with the apps of others, step by step."""

from playwright.async_api import Page, expect

from tests.browser.steps import fill_in
from tests.support.front import Front


async def sign_in_at_rp(page: Page, rp: str, front: Front) -> None:
    """Apache's private page, in a browser in which nobody has signed in."""
    await page.goto(f"{rp}/private/")
    await expect(page).to_have_title("Sign in")
    await fill_in(page, front.account)
    await expect(page).to_have_title("Private")


async def sign_in_at_spa(page: Page, spa: str, front: Front) -> None:
    """The single-page app; a public client on loopback is always asked for."""
    await page.goto(spa)
    await page.click("#sign-in")
    await expect(page).to_have_title("Sign in")
    await fill_in(page, front.account)
    await page.click("#allow")
    await expect(page.locator("#email")).to_have_text(front.account.email)
