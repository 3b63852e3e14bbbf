"""Debian's mod_auth_openidc, a certified relying party, as the protection of a page, in a real browser."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.async_api import Page, expect

from tests.browser.monitor import BrowserMonitor
from tests.foreign.steps import sign_in_at_rp
from tests.support.front import Front

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_user_who_signed_in_by_code_and_pkce_sees_the_protected_page(
    page: Page, rp: str, front: Front, monitor: BrowserMonitor
) -> None:
    await sign_in_at_rp(page, rp, front)
    await expect(page.locator("#user")).to_have_text(front.account.email)
    await expect(page.locator("#name")).to_have_text("Ada Lovelace")  # this claim comes from userinfo only
    await expect(page.locator("#issuer")).to_have_text(front.issuer)
    asked = next(url for url in monitor.urls if url.startswith(f"{front.issuer}/authorize?"))
    assert parse_qs(urlsplit(asked).query)["code_challenge_method"] == ["S256"]


async def test_its_logout_ends_the_login_session_and_redirects_back(page: Page, rp: str, front: Front) -> None:
    await sign_in_at_rp(page, rp, front)
    left = f"{rp}/left.html"
    await page.goto(f"{rp}/callback?logout={quote(left, safe='')}")
    await expect(page).to_have_title("Left")
    await page.goto(f"{rp}/private/")
    await expect(page).to_have_title("Sign in")
