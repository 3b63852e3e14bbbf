"""oidc-client-ts (npm) in a page on its own origin, in a real browser."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.monitor import BrowserMonitor
from tests.browser.steps import fill_in
from tests.foreign.steps import sign_in_at_spa
from tests.support.front import NODE, Front
from tests.support.static_site import static_site

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPA = Path(__file__).parent / "spa"
LIBRARY = NODE / "node_modules" / "oidc-client-ts" / "dist" / "browser" / "oidc-client-ts.min.js"


@pytest.fixture(scope="module")
def spa(front: Front, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the page."""
    assert LIBRARY.exists(), "the npm packages are missing; `make foreign` installs them"
    folder = shutil.copytree(SPA, tmp_path_factory.mktemp("spa"), dirs_exist_ok=True)
    shutil.copy(LIBRARY, folder)
    (folder / "settings.js").write_text(f"const issuer = {json.dumps(front.issuer)}\n")
    with static_site(folder, front.spa_port, front.others):
        yield f"{front.spa}/"


async def test_sign_in_userinfo_refresh_and_sign_out_with_revocation(
    page: Page, spa: str, front: Front, monitor: BrowserMonitor
) -> None:
    await sign_in_at_spa(page, spa, front)
    await expect(page.locator("#name")).to_have_text("Ada Lovelace")  # this claim comes from userinfo only
    for times in "1", "2":
        await page.click("#renew")
        await expect(page.locator("#renewed")).to_have_text(times)
    await page.click("#sign-out")
    await expect(page.locator("#email")).to_have_text("")  # the reloaded page
    await expect(page).to_have_url(spa)
    assert f"{front.issuer}/revoke" in monitor.urls
    await page.click("#sign-in")
    await expect(page).to_have_title("Sign in")


async def test_sign_in_in_a_popup(page: Page, spa: str, front: Front) -> None:
    await page.goto(spa)
    async with page.expect_popup() as opened:
        await page.click("#sign-in-in-a-window")
    window = await opened.value
    await expect(window).to_have_title("Sign in")
    assert await window.evaluate("window.opener !== null")
    await fill_in(window, front.account)
    async with window.expect_event("close"):
        await window.click("#allow")
    await expect(page.locator("#email")).to_have_text(front.account.email)


async def test_silent_sign_in_in_a_frame_finds_no_user_because_frames_get_no_cookie(
    page: Page, spa: str, front: Front
) -> None:
    await sign_in_at_spa(page, spa, front)
    await page.click("#renew-in-a-frame")
    await expect(page.locator("#error")).to_have_text("login_required")


FROM_NOWHERE = """
async ([issuer]) => {
  const program = `
    const call = (path, options) =>
      fetch('${issuer}' + path, options).then((answer) => answer.status, () => 'unreadable')
    const bearer = { headers: { authorization: 'Bearer nothing' } }
    const form = new URLSearchParams({ grant_type: 'authorization_code', code: 'c', client_id: 'spa' })
    Promise.all([
      call('/.well-known/openid-configuration'),
      call('/jwks'),
      call('/userinfo', bearer),
      call('/token', { method: 'POST', body: form }),
      call('/revoke', { method: 'POST', body: form }),
      call('/login', { credentials: 'include' }),
    ]).then((told) => parent.postMessage([origin, ...told], '*'))`
  const frame = document.createElement('iframe')
  frame.sandbox = 'allow-scripts'
  frame.srcdoc = '<script>' + program + '</' + 'script>'
  const told = new Promise((resolve) => addEventListener('message', (message) => resolve(message.data)))
  document.body.append(frame)
  return told
}
"""


async def test_a_page_with_an_opaque_origin_can_read_public_documents_only(
    chromium: Browser, spa: str, front: Front
) -> None:
    """A sandboxed frame in the app's own page has the Origin `null`. Any site can create such a frame."""
    async with await chromium.new_context(ignore_https_errors=True) as context:
        page = await context.new_page()
        await page.goto(spa)
        told = await page.evaluate(FROM_NOWHERE, [front.issuer])
    assert told == ["null", 200, 200, 401, *["unreadable"] * 3]
