"""The login page: errors, and unusual ways to use it."""

import re

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from auth_service.http.signed_state import SignedState
from deploy.local.client_secrets import Account
from tallystick.clock import system_clock
from tests.browser.conftest import OpenBrowser
from tests.browser.monitor import BrowserMonitor
from tests.browser.steps import expect_signed_in, expect_signed_out, fill_in, go_to_sign_in, sign_in
from tests.support.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="session")

OTHER_SITE = "http://other-site.localhost"
TWO_HOURS = 7200


async def expect_error_page(page: Page, error: str, title: str) -> None:
    await expect(page.locator("#error")).to_have_text(error)
    await expect(page.locator("h1")).to_have_text(title)


async def test_a_wrong_password_and_an_unknown_email_show_the_same_page(
    page: Page, demo: Demo, person: Account
) -> None:
    shown = []
    for email in (person.email, f"nobody-{person.email}"):
        await go_to_sign_in(page, demo.one)
        async with page.expect_response(f"{demo.auth}/login") as answer:
            await fill_in(page, Account(email, "not the password"))
        await expect(page.get_by_role("alert")).to_have_text("That email and password do not match.")
        await expect(page.locator("[name=username]")).to_have_value(email)
        await expect(page.locator("[name=password]")).to_have_value("")
        shown.append(((await answer.value).status, await page.locator("main").inner_text()))
    assert shown[0] == shown[1]
    assert shown[0][0] == 401


async def test_after_a_wrong_password_the_field_has_the_focus(page: Page, demo: Demo, person: Account) -> None:
    await go_to_sign_in(page, demo.one)
    await fill_in(page, Account(person.email, "not the password"))
    await expect(page.locator("[name=password]")).to_be_focused()
    await page.keyboard.type(person.password)
    await page.keyboard.press("Enter")
    await expect_signed_in(page, demo.one, person)


async def test_after_many_wrong_passwords_the_page_shows_the_waiting_time(
    page: Page, demo: Demo, person: Account
) -> None:
    await go_to_sign_in(page, demo.one)
    for _ in range(10):
        async with page.expect_response(f"{demo.auth}/login") as answer:
            await fill_in(page, Account(person.email, "not the password"))
        assert (await answer.value).status == 401
    await fill_in(page, person)
    await expect(page.get_by_role("alert")).to_have_text(
        re.compile(r"^Too many attempts\. Wait \d+ seconds?, then try again\.$")
    )


async def test_an_expired_form_is_shown_again_with_a_message(page: Page, demo: Demo, person: Account) -> None:
    signer = await demo.state_signer(lambda: system_clock() - TWO_HOURS)
    old = signer.sign(SignedState("", system_clock() - TWO_HOURS))
    await page.goto(f"{demo.auth}/login")
    await page.locator("input[name=request]").evaluate("(field, old) => { field.value = old }", old)
    await fill_in(page, person)
    await expect(page.get_by_role("alert")).to_have_text(
        "This page was open for more than an hour. Sign in again to go on."
    )
    await page.goto(demo.auth)
    await expect(page.get_by_text(person.email)).to_have_count(0)


async def test_an_altered_form_shows_an_error_page(page: Page, demo: Demo, person: Account) -> None:
    await go_to_sign_in(page, demo.one)
    await page.locator("input[name=request]").evaluate("field => { field.value = 'A' + field.value.slice(1) }")
    await fill_in(page, person)
    await expect_error_page(page, "invalid_request", "We could not read this request")


async def test_a_form_of_another_site_is_refused(
    browser: BrowserContext, page: Page, demo: Demo, person: Account, monitor: BrowserMonitor
) -> None:
    monitor.origins.add(OTHER_SITE)
    signed_state = (await demo.state_signer(system_clock)).sign(SignedState("", system_clock()))
    fields = {"request": signed_state, "username": person.email, "password": person.password}
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())

    async def answer(route: Route) -> None:
        form = f'<form method="post" action="{demo.auth}/login">{inputs}<button>Win</button></form>'
        await route.fulfill(body=f'<link rel="icon" href="data:,">{form}', content_type="text/html")

    await browser.route(f"{OTHER_SITE}/**", answer)
    await page.goto(OTHER_SITE)
    await page.get_by_role("button", name="Win").click()
    await expect_error_page(page, "access_denied", "This form did not come from our own page")
    assert await browser.cookies() == []


async def test_the_back_button_leads_to_the_signed_in_app(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.go_back()  # to the login page
    await page.go_back()
    await expect_signed_in(page, demo.one, person)


async def test_the_back_button_does_not_show_the_login_page_again(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.go_back()  # not shown again, because the login session satisfies the request
    await expect(page).to_have_url(f"{demo.one}/")
    await page.goto(demo.one)
    await expect_signed_in(page, demo.one, person)


async def test_tabs_can_sign_in_one_after_the_other(browser: BrowserContext, demo: Demo, person: Account) -> None:
    tabs = [await browser.new_page() for _ in range(4)]
    for page in tabs:
        await go_to_sign_in(page, demo.one)
    for page in tabs[1:]:  # the app keeps the last three sign-ins
        await fill_in(page, person)
        await expect_signed_in(page, demo.one, person)


async def test_a_double_click_on_the_button_signs_in(page: Page, demo: Demo, person: Account) -> None:
    await go_to_sign_in(page, demo.one)
    await page.fill("[name=username]", person.email)
    await page.fill("[name=password]", person.password)
    await page.dblclick("#sign-in")
    await expect_signed_in(page, demo.one, person)


async def test_an_abandoned_sign_in_leaves_the_app_signed_out(page: Page, demo: Demo) -> None:
    await go_to_sign_in(page, demo.one)
    await page.goto(demo.one)
    await expect_signed_out(page, demo.one)


async def test_password_managers_find_their_fields(page: Page, demo: Demo) -> None:
    await go_to_sign_in(page, demo.one)
    username, password = page.locator("[name=username]"), page.locator("[name=password]")
    await expect(username).to_have_attribute("autocomplete", "username")
    await expect(password).to_have_attribute("autocomplete", "current-password")
    await expect(password).to_have_attribute("type", "password")
    assert await username.evaluate("field => field.form === document.querySelector('[name=password]').form")


async def test_a_user_can_sign_in_with_the_keyboard_only(page: Page, demo: Demo, person: Account) -> None:
    await page.goto(demo.one)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Email")).to_be_focused()
    await page.keyboard.type(person.email)
    await page.keyboard.press("Tab")
    await page.keyboard.type(person.password)
    await page.keyboard.press("Tab")
    await expect(page.locator("#sign-in")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect_signed_in(page, demo.one, person)


async def test_sign_in_and_sign_out_work_without_javascript(
    open_browser: OpenBrowser, demo: Demo, person: Account
) -> None:
    page = await (await open_browser(java_script_enabled=False)).new_page()
    await go_to_sign_in(page, demo.one)
    await fill_in(page, Account(person.email, "not the password"))
    await expect(page.get_by_role("alert")).to_be_visible()
    await fill_in(page, person)
    await expect_signed_in(page, demo.one, person)
    await page.fill("#title", "No script wrote this")
    await page.click("#add-note")
    await expect(page.get_by_role("heading", name="No script wrote this")).to_be_visible()
    await page.click("#sign-out-everywhere")
    await expect_signed_out(page, demo.one)
