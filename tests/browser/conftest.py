"""A real Chromium, the processes that `make run` starts, and for each test a browser and a person of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from deploy.local.client_secrets import Account
from tests.browser.watch import Watch
from tests.support.chromium import PATIENCE_MS, chromium
from tests.support.demo import Demo, running_demo

__all__ = ["chromium"]

ARTIFACTS = Path("artifacts/browser")

OpenBrowser = Callable[..., Awaitable[BrowserContext]]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """With access tokens so short that the apps rotate their refresh token at each request: nobody has to wait."""
    with running_demo(tmp_path_factory.mktemp("demo"), AUTH_LIFETIMES__ACCESS_TOKEN="45") as running:
        yield running


@pytest.fixture
def watch(demo: Demo) -> Watch:
    return Watch(demo.origins)


@pytest_asyncio.fixture(loop_scope="session")
async def open_browser(chromium: Browser, watch: Watch, request: pytest.FixtureRequest) -> AsyncIterator[OpenBrowser]:
    """Makes a browser that knows nothing; the options are those of Playwright's `new_context`.

    In the end nothing may have been complained about in any of them. Of a test that failed, pictures are kept.
    """
    failed_before = request.session.testsfailed
    async with AsyncExitStack() as stack:
        opened: list[BrowserContext] = []

        async def open_browser(**options: object) -> BrowserContext:
            context: BrowserContext = await chromium.new_context(**options)  # type: ignore[arg-type]
            context.set_default_timeout(PATIENCE_MS)
            stack.push_async_callback(context.close)
            watch.listen(context)
            opened.append(context)
            return context

        yield open_browser
        if request.session.testsfailed > failed_before:
            for number, page in enumerate(page for context in opened for page in context.pages):
                await keep_picture(page, f"{request.node.name}-{number}", folder="failed")
    watch.judge()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(open_browser: OpenBrowser) -> BrowserContext:
    return await open_browser(viewport={"width": 1100, "height": 800})


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: BrowserContext) -> Page:
    return await browser.new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def person(demo: Demo) -> Account:
    return await demo.add_person()


async def keep_picture(page: Page, name: str, *, folder: str) -> None:
    """A screenshot among the artefacts of this run."""
    await page.screenshot(path=ARTIFACTS / folder / f"{name}.png", full_page=True)
