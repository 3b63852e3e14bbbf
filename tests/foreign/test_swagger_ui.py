"""An unchanged Swagger UI (npm swagger-ui-dist) on its own origin, like the docs pages of FastAPI and Spring."""

import json
import shutil
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.monitor import BrowserMonitor
from tests.browser.steps import fill_in
from tests.support.front import NODE, Front
from tests.support.static_site import static_site

pytestmark = pytest.mark.asyncio(loop_scope="session")

DIST = NODE / "node_modules" / "swagger-ui-dist"

INITIALIZER = """
window.onload = function() {
  window.ui = SwaggerUIBundle({
    url: %s,
    dom_id: '#swagger-ui',
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl],
    layout: 'StandaloneLayout',
    // Instrumented pages send these headers. The preflight response must allow each of them.
    requestInterceptor: (request) => {
      request.headers['traceparent'] = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      request.headers['baggage'] = 'page=docs';
      return request;
    },
  });
  window.ui.initOAuth({ clientId: 'swagger-ui', usePkceWithAuthorizationCodeGrant: true });
};
"""
"""Every installation replaces this file. All other files are unchanged."""


@pytest.fixture(scope="module")
def docs(front: Front, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the page."""
    assert DIST.exists(), "the npm packages are missing; `make foreign` installs them"
    folder = tmp_path_factory.mktemp("swagger-ui")
    shutil.copytree(DIST, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.map", "*-es-*"))
    (folder / "swagger-initializer.js").write_text(INITIALIZER % json.dumps(f"{front.files.notes_url}/openapi.json"))
    with static_site(folder, front.spa_port, front.others):
        yield f"{front.spa}/index.html"


async def test_an_unchanged_swagger_ui_on_another_origin_signs_in_and_calls_the_api(
    page: Page, docs: str, front: Front, monitor: BrowserMonitor
) -> None:
    monitor.origins |= {front.files.notes_url, "data:"}
    await page.goto(docs)
    await page.click("button.authorize.unlocked >> nth=0")
    await page.get_by_text("select all", exact=True).click()
    async with page.expect_popup() as opened:
        await page.click(".auth-btn-wrapper button.authorize")
    window = await opened.value
    await fill_in(window, front.account)
    async with window.expect_event("close"):
        await window.click("#allow")
    await expect(page.get_by_text("Logout", exact=True)).to_be_visible()
    await page.click(".auth-btn-wrapper .btn-done")

    operation = page.locator(".opblock-get").filter(has=page.locator('[data-path="/notes"]'))
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    await expect(operation.locator(".live-responses-table .response-col_status").nth(1)).to_contain_text("200")
