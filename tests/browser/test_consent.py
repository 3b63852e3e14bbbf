"""The consent page, on which a person decides what an app of strangers may do."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from deploy.local.client_secrets import Account
from tests.browser.steps import fill_in
from tests.browser.watch import Watch
from tests.support.demo import Demo
from tests.support.relying_party import CODE_CHALLENGE

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = b"""HTTP/1.1 200 OK\r
Content-Type: text/html\r
Connection: close\r
\r
<!doctype html><link rel="icon" href="data:,"><title>Strangers</title>"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def strangers(demo: Demo) -> AsyncIterator[str]:
    """The origin of an app of strangers, which has nothing to say."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(PAGE)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        origin = f"http://strangers.localhost:{server.sockets[0].getsockname()[1]}"
        await demo.declare_client(
            client_id="strangers",
            client_name="Strangers & Co",
            client_secret="a secret of strangers, and a long one",
            redirect_uris=[f"{origin}/callback"],
            grant_types=["authorization_code"],
            scope="openid notes:read notes:write",
        )
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{demo.auth}/readyz")).is_success  # it reads anew which clients there are
        yield origin


class Asking:
    """The strangers, and the browser that they send with their requests."""

    def __init__(self, page: Page, demo: Demo, origin: str) -> None:
        self.page = page
        self.issuer = demo.auth
        self._callback = f"{origin}/callback"

    async def ask(self, **changes: str) -> None:
        request = {
            "response_type": "code",
            "client_id": "strangers",
            "redirect_uri": self._callback,
            "scope": "openid notes:read",
            "state": "a state",
            "code_challenge": CODE_CHALLENGE,
            "code_challenge_method": "S256",
        }
        await self.page.goto(f"{self.issuer}/authorize?{urlencode(request | changes)}")

    async def answer(self) -> dict[str, str]:
        """What the browser brings back."""
        await expect(self.page).to_have_title("Strangers")
        assert self.page.url.startswith(f"{self._callback}?")
        return dict(parse_qsl(urlsplit(self.page.url).query))


@pytest_asyncio.fixture(loop_scope="session")
async def asking(page: Page, demo: Demo, person: Account, strangers: str, watch: Watch) -> Asking:
    """They have asked, and the person has signed in."""
    watch.origins.add(strangers)
    asking = Asking(page, demo, strangers)
    await asking.ask()
    await fill_in(page, person)
    await expect(page.locator("#allow")).to_be_visible()
    return asking


async def test_it_says_who_asks_for_what_and_where_one_goes_next(
    page: Page, person: Account, asking: Asking, strangers: str
) -> None:
    await expect(page.locator("h1")).to_have_text("Allow Strangers & Co?")
    await expect(page.locator(".scopes li")).to_contain_text(["Know that it is you", "Read your notes"])
    await expect(page.locator(".facts")).to_contain_text(person.email)
    await expect(page.locator(".facts")).to_contain_text(urlsplit(strangers).netloc)


async def test_allowing_gives_the_client_a_code(page: Page, asking: Asking) -> None:
    await page.click("#allow")
    answer = await asking.answer()
    assert answer.pop("code")
    assert answer == {"state": "a state", "iss": asking.issuer}


async def test_what_was_allowed_is_not_asked_again(page: Page, asking: Asking) -> None:
    await page.click("#allow")
    await asking.answer()
    await asking.ask(state="another state")
    assert (await asking.answer())["state"] == "another state"


async def test_more_than_was_allowed_is_asked_for(page: Page, asking: Asking) -> None:
    await page.click("#allow")
    await asking.answer()
    await asking.ask(scope="openid notes:read notes:write")
    await expect(page.locator(".scopes")).to_contain_text("Create, change and delete your notes")


async def test_denying_tells_the_client_and_is_not_remembered(page: Page, asking: Asking) -> None:
    await page.click("#deny")
    answer = await asking.answer()
    assert (answer["error"], answer["state"]) == ("access_denied", "a state")
    assert "code" not in answer
    await asking.ask()
    await expect(page.locator("#allow")).to_be_visible()


async def test_one_who_signed_out_meanwhile_allows_nothing(page: Page, asking: Asking) -> None:
    await page.context.clear_cookies()
    await page.click("#allow")
    await expect(page.locator("h1")).to_have_text("You are no longer signed in")
    await expect(page.locator("#error")).to_have_text("login_required")


async def test_a_program_on_the_device_is_asked_about_every_time(page: Page, demo: Demo, asking: Asking) -> None:
    """Any program here could pretend to be it (RFC 8252 §8.6), so what was allowed once does not count."""
    docs_page = {"client_id": "notes-docs", "redirect_uri": f"{demo.api}/docs/oauth2-redirect"}
    for _ in range(2):
        await asking.ask(**docs_page)
        await expect(page.locator(".notice")).to_contain_text("A website that runs on this device is asking.")
        await page.click("#allow")
        await expect(page).to_have_title("Back to the docs page")
