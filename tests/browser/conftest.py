"""A real Chromium and the processes that `make run` starts. Each test has its own browser and its own user."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from deploy.local.client_secrets import Account
from tests.browser.monitor import BrowserMonitor
from tests.support.chromium import PATIENCE_MS, chromium
from tests.support.demo import Demo, DemoServers, running_demo, running_servers

__all__ = ["chromium"]

ARTIFACTS = Path("artifacts/browser")

OpenBrowser = Callable[..., Awaitable[BrowserContext]]


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Its access tokens are so short-lived that the apps rotate their refresh token with each request."""
    with running_demo(tmp_path_factory.mktemp("demo"), AUTH_LIFETIMES__ACCESS_TOKEN="45") as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def long_token_servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoServers]:
    """Another demo, whose access tokens are valid for an hour. A test may stop a server, and starts it again."""
    async with running_servers(tmp_path_factory.mktemp("servers"), AUTH_LIFETIMES__ACCESS_TOKEN="3600") as running:
        yield running


@pytest.fixture
def monitor(demo: Demo) -> BrowserMonitor:
    return BrowserMonitor(demo.origins)


@pytest_asyncio.fixture(loop_scope="session")
async def open_browser(
    chromium: Browser, monitor: BrowserMonitor, request: pytest.FixtureRequest
) -> AsyncIterator[OpenBrowser]:
    """Opens a browser without cookies; the options are those of Playwright's `new_context`.

    At the end, the monitor fails the test for any complaint of a browser. A failed test leaves screenshots.
    """
    failed_before = request.session.testsfailed
    async with AsyncExitStack() as stack:
        opened: list[BrowserContext] = []

        async def open_browser(**options: object) -> BrowserContext:
            context: BrowserContext = await chromium.new_context(**options)  # type: ignore[arg-type]
            context.set_default_timeout(PATIENCE_MS)
            stack.push_async_callback(context.close)
            monitor.listen(context)
            opened.append(context)
            return context

        yield open_browser
        if request.session.testsfailed > failed_before:
            for number, page in enumerate(page for context in opened for page in context.pages):
                await save_screenshot(page, f"{request.node.name}-{number}", folder="failed")
    monitor.check()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(open_browser: OpenBrowser) -> BrowserContext:
    return await open_browser(viewport={"width": 1100, "height": 800})


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: BrowserContext) -> Page:
    return await browser.new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def person(demo: Demo) -> Account:
    return await demo.add_person()


async def save_screenshot(page: Page, name: str, *, folder: str) -> None:
    """A screenshot in the artifacts of this run."""
    await page.screenshot(path=ARTIFACTS / folder / f"{name}.png", full_page=True)
