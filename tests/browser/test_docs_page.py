"""The docs pages: *Authorize* signs in with code and PKCE, and *Execute* calls the API."""

import json

import pytest
from playwright.async_api import BrowserContext, Locator, Page, expect

from deploy.local.client_secrets import Account
from tests.browser.conftest import OpenBrowser, save_screenshot
from tests.browser.steps import fill_in
from tests.support.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def press_authorize(browser: BrowserContext, page: Page) -> Page:
    """Press *Authorize* and return the new window with the login page."""
    await page.click("button.authorize.unlocked >> nth=0")
    async with browser.expect_page() as opened:
        await page.click(".auth-btn-wrapper button.authorize")
    return await opened.value


async def authorize(browser: BrowserContext, page: Page, person: Account) -> None:
    window = await press_authorize(browser, page)
    await fill_in(window, person)
    async with window.expect_event("close"):
        await window.click("#allow")
    await expect(page.get_by_text("Logout", exact=True)).to_be_visible()
    await page.get_by_text("Close", exact=True).click()


async def execute(operation: Locator, body: dict[str, str] | None = None) -> str:
    """Open an operation, execute it, and return the body of the response."""
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Try it out").click()
    if body is not None:
        await operation.locator("textarea.body-param__text").fill(json.dumps(body))
    await operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    await expect(answer.locator(".response-col_status")).to_have_text(["200"] if body is None else ["201"])
    return await answer.locator(".highlight-code").first.inner_text()


async def test_a_user_authorizes_and_calls_the_api(
    browser: BrowserContext, page: Page, demo: Demo, person: Account
) -> None:
    await page.goto(f"{demo.api}/docs")
    await authorize(browser, page, person)
    add = page.locator(".opblock-post").filter(has=page.locator('[data-path="/notes"]'))
    look = page.locator(".opblock-get").filter(has=page.locator('[data-path="/notes"]'))
    assert "From the docs page" in await execute(add, {"title": "From the docs page", "body": "by hand"})
    assert "From the docs page" in await execute(look)


async def test_a_user_who_denies_sees_access_denied_and_has_no_token(
    browser: BrowserContext, page: Page, demo: Demo, person: Account
) -> None:
    await page.goto(f"{demo.api}/docs")
    window = await press_authorize(browser, page)
    await fill_in(window, person)
    async with window.expect_event("close"):
        await window.click("#deny")
    await expect(page.locator(".auth-container .errors")).to_contain_text("access_denied")
    await expect(page.get_by_text("Logout", exact=True)).to_have_count(0)


async def test_the_auth_service_has_a_docs_page_too(page: Page, demo: Demo) -> None:
    await page.goto(f"{demo.auth}/docs")
    for path in ("/token", "/authorize", "/logout"):
        await expect(page.locator(f'[data-path="{path}"]')).to_be_visible()
    await expect(page.locator('[data-path="/userinfo"]').first).to_be_visible()


async def test_without_scripts_the_page_links_to_the_openapi_document(page: Page, demo: Demo) -> None:
    answer = await page.request.get(f"{demo.api}/docs")
    assert "<noscript>" in await answer.text()
    assert (await page.request.get(f"{demo.api}/openapi.json")).ok


BACKGROUND = "getComputedStyle(document.documentElement).backgroundColor"


@pytest.mark.parametrize("look", ["desk", "phone"])
async def test_the_docs_page_follows_the_color_scheme(look: str, open_browser: OpenBrowser, demo: Demo) -> None:
    viewport = {"width": 390, "height": 844} if look == "phone" else {"width": 1100, "height": 800}
    page = await (await open_browser(color_scheme="dark", viewport=viewport)).new_page()
    await page.goto(f"{demo.api}/docs")
    await expect(page.locator('[data-path="/notes"]').first).to_be_visible()
    await save_screenshot(page, f"docs-{look}-dark", folder="docs")
    assert await page.evaluate(BACKGROUND) == "rgb(28, 32, 34)"
    await page.emulate_media(color_scheme="light")
    await expect(page.locator("html.dark-mode")).to_have_count(0)
    await save_screenshot(page, f"docs-{look}-light", folder="docs")
    assert await page.evaluate(BACKGROUND) != "rgb(28, 32, 34)"
