"""While the auth service is down, valid tokens still work, also after a restart of the API."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.monitor import BrowserMonitor
from tests.browser.steps import add_note, expect_signed_in, sign_in
from tests.support.demo import AUTH_SERVICE, NOTES_API, DemoServers

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_apps_and_api_work_with_valid_tokens_and_the_login_survives(
    long_token_servers: DemoServers, page: Page, monitor: BrowserMonitor
) -> None:
    servers, demo = long_token_servers, long_token_servers.demo
    monitor.origins |= demo.origins
    person = await demo.add_person()
    await sign_in(page, demo.one, person)
    await add_note(page, "Before")
    async with servers.without(AUTH_SERVICE):
        await add_note(page, "While it is down")
        servers.stop(NOTES_API)
        await page.reload()
        await expect(page.get_by_role("status")).to_contain_text("The notes service does not answer")
        await servers.start(NOTES_API)
        await page.reload()
        await add_note(page, "After a restart of the API")
        await expect(page.locator(".entry h2")).to_have_text(
            ["After a restart of the API", "While it is down", "Before"]
        )
    await page.goto(demo.two)
    await expect_signed_in(page, demo.two, person)
