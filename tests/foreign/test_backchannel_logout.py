"""mod_auth_openidc receives a logout token when a login session ends (OpenID Connect Back-Channel Logout)."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from tests.foreign.steps import sign_in_at_rp
from tests.support.front import Front
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_logout_at_the_issuer_ends_the_session_of_the_app(page: Page, rp: str, front: Front) -> None:
    await sign_in_at_rp(page, rp, front)
    await page.goto(f"{rp}/private/")
    await expect(page).to_have_title("Private")
    await page.goto(f"{front.issuer}/logout")
    await page.click("#log-out")
    async with asyncio.timeout(PATIENCE):
        # The app's session ends when the logout token arrives. Then the app redirects to the issuer's login page.
        while await page.goto(f"{rp}/private/") and await page.title() != "Sign in":  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.2)
