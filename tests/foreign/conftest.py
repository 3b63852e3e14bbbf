"""Both services behind the TLS front, started once for each test process, and a browser for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.monitor import BrowserMonitor
from tests.support.apache import running_apache
from tests.support.chromium import PATIENCE_MS, chromium
from tests.support.front import Front, running_front

__all__ = ["chromium"]

ARTIFACTS = Path("artifacts/foreign")


@pytest.fixture(scope="package")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with running_front(tmp_path_factory.mktemp("front")) as running:
        yield running


@pytest.fixture(scope="package")
def rp(front: Front) -> Iterator[str]:
    """The origin of Apache with mod_auth_openidc, which protects /private/ by a sign-in."""
    with running_apache(front) as origin:
        yield origin


@pytest.fixture
def monitor(front: Front) -> BrowserMonitor:
    return BrowserMonitor({front.issuer, front.files.notes_url, front.spa, front.notes_spa, front.rp, front.posted_rp})


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, monitor: BrowserMonitor, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A page of a new browser context. The test fails if the browser reported an error. A final screenshot is kept."""
    context = await chromium.new_context(ignore_https_errors=True)
    context.set_default_timeout(PATIENCE_MS)
    monitor.listen(context)
    page = await context.new_page()
    yield page
    await page.screenshot(path=ARTIFACTS / f"{request.node.name}.png")
    await context.close()
    monitor.check()
