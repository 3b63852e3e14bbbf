"""axe-core (npm) checks the docs pages and the auth service's pages."""

from collections.abc import Collection, Sequence
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from deploy.local.client_secrets import Account
from tests.browser.conftest import OpenBrowser, save_screenshot
from tests.browser.steps import fill_in
from tests.support.demo import Demo
from tests.support.front import NODE

pytestmark = pytest.mark.asyncio(loop_scope="session")

COLOR_SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
AXE = NODE / "node_modules" / "axe-core" / "axe.min.js"

SWAGGER_UI_VIOLATIONS = {
    "heading-order",  # its title is an h1, its groups of operations are h3
    "landmark-unique",  # each table of responses is a region without a name
    "nested-interactive",  # the row that opens an operation has a button inside
}
"""Rules that Swagger UI's elements violate. A stylesheet cannot change that."""
SWAGGER_UI_DIALOG_VIOLATIONS = {
    "button-name",  # the button that closes it is an image without a text
    "label-content-name-mismatch",  # "Authorize" is labelled "Apply given OAuth2 credentials"
}

COLOR_RULES = ("color-contrast", "link-in-text-block")
"""Rules whose result depends on the color scheme. They take more time than all others together."""

SUMMARIZE = """
async ({within, disabled, only}) => {
  const {passes, violations} = await axe.run(within, {
    rules: Object.fromEntries(disabled.map((rule) => [rule, {enabled: false}])),
    resultTypes: ["violations"],
    selectors: false,
    ...(only.length ? {runOnly: {type: "rule", values: only}} : {}),
  });
  if (passes.length === 0) return ["axe checked nothing"];
  return violations.flatMap(({id, nodes}) =>
    nodes.map(({html, failureSummary}) => `${id}: ${html.slice(0, 120)} ${failureSummary}`));
}
"""

NO_TRANSITIONS = """
const style = new CSSStyleSheet();
style.replaceSync("*, *::before, *::after { transition: none !important }");
document.adoptedStyleSheets.push(style);
null
"""
"""Colors change at once when the color scheme changes."""


class Checker:
    """Collects the violations on the pages that it checks, in dark and in light."""

    def __init__(self, page: Page, *, dark: str | None = None) -> None:
        """`dark`: a selector that matches when the page's script has switched to dark."""
        self._page = page
        self._dark = dark
        self.violations: list[str] = []

    async def check(self, name: str, disabled: Collection[str] = (), *, colors_within: str = "html") -> None:
        """Run all rules but the `disabled` ones. Rules about colors run within one element, in both color schemes."""
        if not await self._page.evaluate("'axe' in window"):
            await self._page.evaluate(f"{AXE.read_text()}; {NO_TRANSITIONS}")
        for color_scheme in COLOR_SCHEMES:
            await self._page.emulate_media(color_scheme=color_scheme)
            if self._dark is not None:
                await expect(self._page.locator(self._dark)).to_have_count(int(color_scheme == "dark"))
            await self._run(f"{name}, {color_scheme}", within=colors_within, only=COLOR_RULES)
        await self._run(name, disabled=[*disabled, *COLOR_RULES])

    async def _run(
        self, name: str, *, within: str = "html", disabled: Sequence[str] = (), only: Sequence[str] = ()
    ) -> None:
        options = {"within": within, "disabled": disabled, "only": only}
        found: list[str] = await self._page.evaluate(SUMMARIZE, options)
        self.violations += [f"{name}: {violation}" for violation in found]


async def open_every_operation(page: Page) -> None:
    """Unfold each operation, and press *Try it out* in the first one."""
    await page.evaluate("document.querySelectorAll('.opblock-summary-control').forEach((button) => button.click())")
    await expect(page.locator(".opblock:not(.is-open)")).to_have_count(0)
    await page.locator(".try-out__btn").first.click()
    await expect(page.get_by_role("button", name="Execute")).to_be_visible()


@pytest.mark.parametrize("service", ["auth", "api"])
async def test_a_docs_page_has_no_violation_that_a_stylesheet_can_fix(
    service: str, open_browser: OpenBrowser, demo: Demo
) -> None:
    browser = await open_browser(reduced_motion="reduce", viewport={"width": 1100, "height": 800})
    page = await browser.new_page()
    checker = Checker(page, dark="html.dark-mode")
    await page.goto(f"{getattr(demo, service)}/docs")
    await expect(page.locator(".opblock").first).to_be_visible()
    await checker.check("closed", SWAGGER_UI_VIOLATIONS)
    await open_every_operation(page)
    await checker.check("open", SWAGGER_UI_VIOLATIONS)
    await save_screenshot(page, f"docs-{service}-open", folder="docs")
    if service == "api":
        await page.click("button.authorize.unlocked >> nth=0")
        await expect(page.locator(".modal-ux")).to_be_visible()
        disabled = SWAGGER_UI_VIOLATIONS | SWAGGER_UI_DIALOG_VIOLATIONS
        await checker.check("authorize", disabled, colors_within=".dialog-ux")
        await page.screenshot(path=f"artifacts/browser/docs/docs-{service}-authorize.png")
    assert not checker.violations, "\n".join(checker.violations)


async def test_the_auth_services_pages_have_no_violation(page: Page, demo: Demo, person: Account) -> None:
    checker = Checker(page)
    await page.goto(f"{demo.auth}/authorize?client_id=unknown")
    await checker.check("error")
    query = f"response_type=code&client_id=notes-docs&redirect_uri={demo.api}/docs/oauth2-redirect"
    challenge = f"code_challenge={'A' * 43}&code_challenge_method=S256"
    await page.goto(f"{demo.auth}/authorize?{query}&{challenge}&scope=openid+notes:read+notes:write")
    await expect(page).to_have_title("Sign in")
    await checker.check("login")
    await fill_in(page, Account(person.email, "not the password"))
    await expect(page.get_by_role("alert")).to_be_visible()
    await checker.check("login failed")
    await fill_in(page, person)
    await expect(page.locator("#allow")).to_be_visible()
    await checker.check("consent")
    await page.goto(f"{demo.auth}/logout")
    await checker.check("logout")
    assert not checker.violations, "\n".join(checker.violations)
