"""The steps of a user in the demo."""

import re

from playwright.async_api import Page, expect

from deploy.local.client_secrets import Account


async def go_to_sign_in(page: Page, app: str) -> None:
    """Go from an app's start page to the login page."""
    await page.goto(app)
    await page.click("#sign-in")
    await expect(page).to_have_title("Sign in")


async def fill_in(page: Page, person: Account) -> None:
    """Fill in the login page and press its button."""
    await page.fill("[name=username]", person.email)
    await page.fill("[name=password]", person.password)
    await page.click("#sign-in")


async def sign_in(page: Page, app: str, person: Account) -> None:
    """Sign in to an app, in a browser without a login."""
    await go_to_sign_in(page, app)
    await fill_in(page, person)
    await expect_signed_in(page, app, person)


async def expect_signed_in(page: Page, app: str, person: Account) -> None:
    await expect(page).to_have_url(f"{app}/")
    await expect(page.locator("#user-email")).to_have_text(person.email)


async def expect_signed_out(page: Page, app: str) -> None:
    await expect(page).to_have_url(re.compile(f"^{re.escape(app)}/"))
    await expect(page.locator("#sign-in")).to_be_visible()
    await expect(page.locator("#user-email")).to_have_count(0)


async def add_note(page: Page, title: str, body: str = "") -> None:
    await page.fill("#title", title)
    await page.fill("#body", body)
    await page.click("#add-note")
    await expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()


async def ask_to_delete_all(page: Page) -> None:
    """Go from an app's start page to the confirmation page, and delete all notes."""
    await page.click("#delete-all-notes")
    await expect(page.get_by_role("heading", name="Delete all notes?")).to_be_visible()
    await page.click("#delete-all-for-good")
