"""One login for two domains, as a user sees it."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import BrowserContext, Page, expect

from deploy.local.client_secrets import Account
from tests.browser.conftest import OpenBrowser
from tests.browser.monitor import BrowserMonitor
from tests.browser.steps import add_note, expect_signed_in, expect_signed_out, go_to_sign_in, sign_in
from tests.support.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="session")

JWT = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.")


async def test_one_login_signs_in_to_both_domains(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await page.click("#other-app")
    await expect_signed_in(page, demo.two, person)


async def test_an_app_checks_for_a_login_once_and_then_shows_its_start_page(
    page: Page, demo: Demo, monitor: BrowserMonitor
) -> None:
    for _ in range(2):
        await page.goto(demo.two)
        await expect_signed_out(page, demo.two)
        await expect(page.get_by_role("status")).to_have_count(0)
    assert len([url for url in monitor.urls if "/authorize?" in url]) == 1


async def test_the_link_to_the_other_app_signs_in_also_after_a_visit_without_a_login(
    page: Page, demo: Demo, person: Account
) -> None:
    await page.goto(demo.two)
    await expect_signed_out(page, demo.two)
    await sign_in(page, demo.one, person)
    await page.click("#other-app")
    await expect_signed_in(page, demo.two, person)


async def test_times_are_shown_in_the_time_zone_of_the_person(
    open_browser: OpenBrowser, demo: Demo, person: Account
) -> None:
    page = await (await open_browser(timezone_id="Pacific/Kiritimati", locale="en-GB")).new_page()
    await sign_in(page, demo.one, person)
    await add_note(page, "When it was")
    time = page.locator(".entry time")
    written = datetime.fromisoformat(await time.get_attribute("datetime") or "").astimezone(
        ZoneInfo("Pacific/Kiritimati")
    )
    await expect(time).to_have_text(f"{written:%-d %B %Y} at {written:%H:%M}")


async def test_times_are_in_utc_without_scripts(open_browser: OpenBrowser, demo: Demo, person: Account) -> None:
    page = await (await open_browser(java_script_enabled=False)).new_page()
    await sign_in(page, demo.one, person)
    await add_note(page, "When it was")
    await expect(page.locator(".entry time")).to_contain_text("UTC")


async def test_a_note_added_in_one_app_is_shown_in_the_other(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await add_note(page, "From the first", "with ünïcödé & <b>no markup</b>")
    await page.goto(demo.two)
    await expect(page.get_by_role("heading", name="From the first")).to_be_visible()
    await expect(page.locator(".entry .body")).to_have_text("with ünïcödé & <b>no markup</b>")
    await add_note(page, "From the second")
    await page.goto(demo.one)
    await expect(page.locator(".entry h2")).to_have_text(["From the second", "From the first"])


async def test_a_note_is_deleted_in_two_steps(page: Page, demo: Demo, person: Account) -> None:
    await sign_in(page, demo.one, person)
    await add_note(page, "To keep")
    await add_note(page, "To lose")
    entry = page.locator(".entry").filter(has_text="To lose")
    await entry.locator("summary").click()
    await entry.get_by_role("button", name="Delete for good").click()
    await expect(page.locator(".entry h2")).to_have_text(["To keep"])


async def test_users_see_their_own_notes_only(open_browser: OpenBrowser, demo: Demo) -> None:
    for title in ("Mine", "Yours"):
        page = await (await open_browser()).new_page()
        await sign_in(page, demo.one, await demo.add_person())
        await add_note(page, title)
        await expect(page.locator(".entry h2")).to_have_text([title])


async def test_another_browser_needs_the_password(
    page: Page, open_browser: OpenBrowser, demo: Demo, person: Account
) -> None:
    await sign_in(page, demo.one, person)
    other_page = await (await open_browser()).new_page()
    await go_to_sign_in(other_page, demo.two)


async def test_every_cookie_belongs_to_one_host_and_is_http_only(
    browser: BrowserContext, page: Page, demo: Demo, person: Account
) -> None:
    await sign_in(page, demo.one, person)
    await page.goto(demo.two)
    await expect_signed_in(page, demo.two, person)
    cookies = await browser.cookies()
    assert {cookie["domain"] for cookie in cookies} == {"localhost", "app-one.localhost", "app-two.localhost"}
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Lax" for cookie in cookies)
    one, two = [{cookie["value"] for cookie in await browser.cookies(app)} for app in (demo.one, demo.two)]
    assert one
    assert two
    assert not one & two
    assert await page.evaluate("document.cookie") == ""


async def test_no_token_reaches_the_browser(
    browser: BrowserContext, page: Page, demo: Demo, person: Account, monitor: BrowserMonitor
) -> None:
    bodies: list[str] = []
    for app in (demo.one, demo.two):
        await page.goto(app)
        if app == demo.one:
            await page.click("#sign-in")
            await page.fill("[name=username]", person.email)
            await page.fill("[name=password]", person.password)
            await page.click("#sign-in")
        await expect_signed_in(page, app, person)
        await add_note(page, f"Written in {app}")
        bodies.append(await page.content())
    state = await browser.storage_state(indexed_db=True)
    assert state.get("origins") == []  # no web storage is used
    (session,) = (c for c in await browser.cookies(demo.one) if c["name"] == "session")
    assert re.fullmatch(r"[\w-]{43}", session["value"])  # 256 random bits
    for text in (*bodies, *monitor.urls, *(cookie["value"] for cookie in await browser.cookies())):
        assert not JWT.search(text)
        assert person.password not in text
