"""Deleting all notes requires a login of the last five minutes (RFC 9470)."""

import pytest
from playwright.async_api import Page, expect

from deploy.local.client_secrets import Account
from tests.browser.conftest import OpenBrowser
from tests.browser.steps import add_note, ask_to_delete_all, expect_signed_in, fill_in, sign_in
from tests.support.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="session")

MINUTES = 60


async def sign_in_long_ago(page: Page, demo: Demo, person: Account) -> None:
    """Sign in, add a note, and move the login six minutes into the past."""
    await sign_in(page, demo.one, person)
    await add_note(page, "To lose, or to keep")
    await demo.age_login(person, seconds=6 * MINUTES)


async def test_a_fresh_login_deletes_all_notes_without_a_password(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await add_note(page, "One")
    await add_note(page, "Two")
    await ask_to_delete_all(page)
    await expect_signed_in(page, demo.one, person)
    await expect(page.get_by_role("status")).to_have_text("All your notes are deleted.")
    await expect(page.locator(".entry")).to_have_count(0)
    await expect(page.locator("#delete-all-notes")).to_have_count(0)


async def test_an_old_login_needs_the_password_and_another_confirmation(
    page: Page, demo: Demo, person: Account
) -> None:
    await sign_in_long_ago(page, demo, person)
    await ask_to_delete_all(page)
    await expect(page).to_have_title("Sign in")
    await expect(page.locator("[name=username]")).to_have_value(person.email)
    await fill_in(page, person)
    await expect(page.get_by_role("status")).to_contain_text("nothing is deleted yet")
    await expect(page.locator("#user-email")).to_have_text(person.email)
    await page.click("#delete-all-for-good")
    await expect_signed_in(page, demo.one, person)
    await expect(page.locator(".entry")).to_have_count(0)


async def test_a_user_who_signs_in_can_still_keep_the_notes(page: Page, demo: Demo, person: Account) -> None:
    await sign_in_long_ago(page, demo, person)
    await ask_to_delete_all(page)
    await fill_in(page, person)
    await page.click("#keep-notes")
    await expect(page.locator(".entry h2")).to_have_text(["To lose, or to keep"])


async def test_leaving_the_login_page_keeps_the_notes(page: Page, demo: Demo, person: Account) -> None:
    await sign_in_long_ago(page, demo, person)
    await ask_to_delete_all(page)
    await expect(page).to_have_title("Sign in")
    await page.goto(demo.one)
    await expect_signed_in(page, demo.one, person)
    await expect(page.locator(".entry h2")).to_have_text(["To lose, or to keep"])
    await ask_to_delete_all(page)
    await expect(page).to_have_title("Sign in")


async def test_a_fresh_login_in_one_app_counts_in_the_other(page: Page, demo: Demo, person: Account) -> None:
    await sign_in_long_ago(page, demo, person)
    await page.goto(demo.two)
    await expect_signed_in(page, demo.two, person)
    await ask_to_delete_all(page)
    await fill_in(page, person)
    await expect(page.get_by_role("status")).to_contain_text("nothing is deleted yet")
    await page.goto(demo.one)
    await ask_to_delete_all(page)
    await expect(page.get_by_role("status")).to_contain_text("nothing is deleted yet")
    await page.click("#delete-all-for-good")
    await expect_signed_in(page, demo.one, person)
    await expect(page.locator(".entry")).to_have_count(0)


async def test_another_user_who_signs_in_deletes_their_own_notes(
    page: Page, open_browser: OpenBrowser, demo: Demo, person: Account
) -> None:
    other_person = await demo.add_person()
    await sign_in_long_ago(page, demo, person)
    await ask_to_delete_all(page)
    await fill_in(page, other_person)
    await expect(page.locator("#user-email")).to_have_text(other_person.email)
    await page.click("#delete-all-for-good")
    await expect_signed_in(page, demo.one, other_person)
    other_page = await (await open_browser()).new_page()
    await sign_in(other_page, demo.one, person)
    await expect(other_page.locator(".entry h2")).to_have_text(["To lose, or to keep"])
