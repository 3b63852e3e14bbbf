"""While the auth service is down, valid tokens still work, also after a restart of the API."""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from deploy.demo.demo_files import DemoFiles
from deploy.demo.servers import demo_servers
from deploy.local.client_secrets import Account
from deploy.local.supervisor import Server, wait_until_ready
from tests.browser.steps import add_note, expect_signed_in, sign_in
from tests.support.demo import Demo
from tests.support.ports import free_ports

pytestmark = pytest.mark.asyncio(loop_scope="session")

AUTH_SERVICE, NOTES_API = "auth service", "notes API"


class Servers:
    """The servers of the demo, which a test can stop and start one by one."""

    def __init__(self, files: DemoFiles, stack: ExitStack) -> None:
        self._servers = {server.name: server for server in demo_servers(files)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs = files.logs
        self._stack = stack

    async def start(self, *names: str) -> None:
        """Start the named servers, or all of them, and wait until they answer."""
        started = [self._servers[name] for name in names or self._servers]
        for server in started:
            self._processes[server.name] = self._launch(server)
        await wait_until_ready(started)

    def _launch(self, server: Server) -> subprocess.Popen[bytes]:
        with (self._logs / f"{server.port}.log").open("ab") as log:
            process = subprocess.Popen(
                server.command, env=os.environ | server.environment, stdout=log, stderr=subprocess.STDOUT
            )
        self._stack.enter_context(process)
        self._stack.callback(process.terminate)
        return process

    def stop(self, name: str) -> None:
        self._processes[name].terminate()
        assert self._processes[name].wait() == 0

    @asynccontextmanager
    async def without(self, name: str) -> AsyncIterator[None]:
        self.stop(name)
        yield
        await self.start(name)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo for this module only, with the default lifetime of access tokens."""
    files = DemoFiles(free_ports(4), tmp_path_factory.mktemp("servers") / "var")
    files.prepare()
    return Demo(files)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def servers(demo: Demo) -> AsyncIterator[Servers]:
    with ExitStack() as stack:
        servers = Servers(demo.files, stack)
        await servers.start()
        yield servers


async def test_apps_and_api_work_with_valid_tokens_and_the_login_survives(
    servers: Servers, page: Page, demo: Demo, person: Account
) -> None:
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
