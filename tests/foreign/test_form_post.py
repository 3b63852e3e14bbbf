"""mod_auth_openidc with response_mode=form_post (OAuth 2.0 Form Post Response Mode), in a real browser."""

import pytest
from playwright.async_api import Page, expect

from tests.foreign.steps import sign_in_at_rp
from tests.support.front import Front

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_our_page_posts_the_response_without_a_click(page: Page, rp: str, front: Front) -> None:
    """Our Content-Security-Policy must allow the script of this page and the address of its form."""
    posted = []
    page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
    await sign_in_at_rp(page, front.posted_rp, front)
    await expect(page.locator("#user")).to_have_text(front.account.email)
    assert posted == [f"{front.issuer}/login", f"{front.posted_rp}/callback"]
