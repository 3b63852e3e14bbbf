"""A real browser, for the tests of one folder."""

import shutil
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

PATIENCE_MS = 45_000
TEST_DOMAIN = "example.test"
"""The browser resolves its hosts to 127.0.0.1. To the auth service they are public hosts, not loopback."""
expect.set_options(timeout=PATIENCE_MS)

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The programs to look for, the cheapest first. Chromium without a user interface needs two thirds of the CPU time."""

OPTIONS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-gpu",
    # One process renders all sites. A new process for each site of each navigation costs a quarter of the CPU time.
    "--disable-site-isolation-trials",
    "--renderer-process-limit=1",
    f"--host-resolver-rules=MAP *.{TEST_DOMAIN} 127.0.0.1",
)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """It is closed after the last test of its folder, because an idle Chromium needs CPU time, too."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    assert executable, "there is no Chromium; `make browser` installs it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=OPTIONS)
        yield browser
        await browser.close()
