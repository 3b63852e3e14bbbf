"""The consent page, on which a user decides what a third-party app may do."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from deploy.local.client_secrets import Account
from tests.browser.monitor import BrowserMonitor
from tests.browser.steps import fill_in
from tests.support.demo import Demo
from tests.support.relying_party import CODE_CHALLENGE

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = b"""HTTP/1.1 200 OK\r
Content-Type: text/html\r
Connection: close\r
\r
<!doctype html><link rel="icon" href="data:,"><title>Third Party</title>"""


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def third_party_origin(demo: Demo) -> AsyncIterator[str]:
    """The origin of a third-party app whose pages are empty."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(PAGE)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        origin = f"http://third-party.localhost:{server.sockets[0].getsockname()[1]}"
        await demo.declare_client(
            client_id="another-company",
            client_name="Another Company & Co",
            client_secret="a client secret that is long enough",
            redirect_uris=[f"{origin}/callback"],
            grant_types=["authorization_code"],
            scope="openid notes:read notes:write",
        )
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{demo.auth}/readyz")).is_success  # makes the service read the clients again
        yield origin


class ThirdPartyApp:
    """The third-party app, and the browser that it redirects."""

    def __init__(self, page: Page, demo: Demo, origin: str) -> None:
        self.page = page
        self.issuer = demo.auth
        self._callback = f"{origin}/callback"

    async def send_request(self, **changes: str) -> None:
        request = {
            "response_type": "code",
            "client_id": "another-company",
            "redirect_uri": self._callback,
            "scope": "openid notes:read",
            "state": "a state",
            "code_challenge": CODE_CHALLENGE,
            "code_challenge_method": "S256",
        }
        await self.page.goto(f"{self.issuer}/authorize?{urlencode(request | changes)}")

    async def response(self) -> dict[str, str]:
        """The parameters with which the browser comes back."""
        await expect(self.page).to_have_title("Third Party")
        assert self.page.url.startswith(f"{self._callback}?")
        return dict(parse_qsl(urlsplit(self.page.url).query))


@pytest_asyncio.fixture(loop_scope="session")
async def app(
    page: Page, demo: Demo, person: Account, third_party_origin: str, monitor: BrowserMonitor
) -> ThirdPartyApp:
    """The app has sent a request, and the user has signed in."""
    monitor.origins.add(third_party_origin)
    app = ThirdPartyApp(page, demo, third_party_origin)
    await app.send_request()
    await fill_in(page, person)
    await expect(page.locator("#allow")).to_be_visible()
    return app


async def test_the_page_names_the_app_the_scopes_the_user_and_the_target(
    page: Page, person: Account, app: ThirdPartyApp, third_party_origin: str
) -> None:
    await expect(page.locator("h1")).to_have_text("Allow Another Company & Co?")
    await expect(page.locator(".scopes li")).to_contain_text(["Know that it is you", "Read your notes"])
    await expect(page.locator(".facts")).to_contain_text(person.email)
    await expect(page.locator(".facts")).to_contain_text(urlsplit(third_party_origin).netloc)


async def test_allowing_gives_the_client_a_code(page: Page, app: ThirdPartyApp) -> None:
    await page.click("#allow")
    answer = await app.response()
    assert answer.pop("code")
    assert answer == {"state": "a state", "iss": app.issuer}


async def test_stored_consent_needs_no_page(page: Page, app: ThirdPartyApp) -> None:
    await page.click("#allow")
    await app.response()
    await app.send_request(state="another state")
    assert (await app.response())["state"] == "another state"


async def test_an_additional_scope_shows_the_page_again(page: Page, app: ThirdPartyApp) -> None:
    await page.click("#allow")
    await app.response()
    await app.send_request(scope="openid notes:read notes:write")
    await expect(page.locator(".scopes")).to_contain_text("Create, change and delete your notes")


async def test_deny_sends_access_denied_and_is_not_stored(page: Page, app: ThirdPartyApp) -> None:
    await page.click("#deny")
    answer = await app.response()
    assert (answer["error"], answer["state"]) == ("access_denied", "a state")
    assert "code" not in answer
    await app.send_request()
    await expect(page.locator("#allow")).to_be_visible()


async def test_after_a_sign_out_nothing_can_be_allowed(page: Page, app: ThirdPartyApp) -> None:
    await page.context.clear_cookies()
    await page.click("#allow")
    await expect(page.locator("h1")).to_have_text("You are no longer signed in")
    await expect(page.locator("#error")).to_have_text("login_required")


async def test_a_program_on_the_device_needs_consent_every_time(page: Page, demo: Demo, app: ThirdPartyApp) -> None:
    """Any program on the device could impersonate it (RFC 8252 §8.6), so no consent is stored."""
    docs_page = {"client_id": "notes-docs", "redirect_uri": f"{demo.api}/docs/oauth2-redirect"}
    for _ in range(2):
        await app.send_request(**docs_page)
        await expect(page.locator(".notice")).to_contain_text("A website that runs on this device is asking.")
        await page.click("#allow")
        await expect(page).to_have_title("Back to the docs page")
