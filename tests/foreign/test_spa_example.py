"""examples/spa with oidc-client-ts (npm), on a public https origin, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from examples.spa.handler import handler
from tests.browser.monitor import BrowserMonitor
from tests.browser.steps import fill_in
from tests.foreign.test_oidc_client_ts import LIBRARY
from tests.support.front import Front
from tests.support.static_site import https_site

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def spa(front: Front) -> Iterator[str]:
    """The URL of the page."""
    config = {"issuer": front.issuer, "client_id": "notes-spa", "api": front.files.notes_url}
    with https_site(handler(config, LIBRARY), front.notes_spa_port, front.others):
        yield f"{front.notes_spa}/"


async def test_a_reload_signs_in_silently_and_a_sign_out_ends_the_login(
    page: Page, spa: str, front: Front, monitor: BrowserMonitor
) -> None:
    await page.goto(spa)  # the silent sign-in finds no login
    await page.click("#sign-in")
    await fill_in(page, front.account)
    await expect(page.locator("#user-email")).to_have_text(front.account.email)
    await expect(page).to_have_url(spa)  # without the code
    await page.fill("#title", "<b>From one page</b>")
    await page.click("#add-note")
    await expect(page.locator("#notes li").first).to_have_text("<b>From one page</b>")

    await page.reload()
    await expect(page.locator("#notes li").first).to_have_text("<b>From one page</b>")
    storage = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert storage == "[{},{}]"
    assert await page.evaluate("document.cookie") == ""

    await page.click("#sign-out")
    await expect(page.locator("#message")).to_have_text("You are signed out of all apps in this browser.")
    assert f"{front.issuer}/revoke" in monitor.urls
    await page.click("#sign-in")
    await expect(page).to_have_title("Sign in")


async def test_a_response_of_another_issuer_is_refused(page: Page, spa: str) -> None:
    await page.goto(f"{spa}?code=c&state=s&iss=https://evil.example")
    await expect(page.locator("#message")).to_have_text("The response is of another sign-in service.")
    await expect(page).to_have_url(spa)
