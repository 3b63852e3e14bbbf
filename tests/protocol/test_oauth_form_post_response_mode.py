"""OAuth 2.0 Form Post Response Mode: the browser posts the response in a form; no URL contains it."""

import base64
import re
from hashlib import sha256

import pytest

from tests.support.auth_service import AuthService
from tests.support.declared import ISSUER
from tests.support.relying_party import HtmlForm, RelyingParty, answer_of


async def test_the_code_is_posted_in_a_form(rp: RelyingParty) -> None:
    page = await rp.sign_in(response_mode="form_post")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    form = HtmlForm.on(page)
    assert form.action == rp.redirect_uri
    assert form.fields.keys() == {"code", "state", "iss"}
    assert (form.fields["state"], form.fields["iss"]) == ("a state of the client's", ISSUER)
    assert (await rp.token(form.fields["code"] or "")).status_code == 200


async def test_the_form_page_may_run_its_own_script_only(rp: RelyingParty) -> None:
    """The Content-Security-Policy has the hash of the script. Without scripts, the user presses a button."""
    page = await rp.sign_in(response_mode="form_post", state='"><script>alert(1)</script>')
    scripts = re.findall(r"<script>(.*?)</script>", page.text)
    assert len(scripts) == 1
    digest = base64.b64encode(sha256(scripts[0].encode()).digest()).decode()
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["script-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == "'none'"
    assert 'id="continue"' in page.text
    assert HtmlForm.on(page).fields["state"] == '"><script>alert(1)</script>'


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "nothing-known"}, "invalid_scope"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"claims": "{"}, "invalid_request"),
    ],
)
async def test_an_error_is_posted_in_a_form(rp: RelyingParty, change: dict[str, str], error: str) -> None:
    form = HtmlForm.on(await rp.authorize(response_mode="form_post", **change))
    assert form.action == rp.redirect_uri
    assert form.fields["error"] == error
    assert form.fields.keys() == {"error", "error_description", "state", "iss"}


async def test_access_denied_is_posted_in_a_form(auth: AuthService) -> None:
    rp = auth.relying_party("third-party")
    page = await rp.browser.deny(await rp.sign_in(response_mode="form_post"))
    assert HtmlForm.on(page).fields["error"] == "access_denied"


async def test_a_redirect_uri_keeps_its_query(auth: AuthService) -> None:
    rp = auth.relying_party("app-query")
    form = HtmlForm.on(await rp.sign_in(response_mode="form_post"))
    assert form.action == "https://app-query.example.org/callback?tenant=1"
    assert "tenant" not in form.fields


@pytest.mark.parametrize("response_mode", ["fragment", "web_message", "query.jwt"])
async def test_another_response_mode_is_refused_in_the_query(rp: RelyingParty, response_mode: str) -> None:
    assert answer_of(await rp.authorize(response_mode=response_mode))["error"] == "invalid_request"


async def test_an_unregistered_redirect_uri_gets_no_form(rp: RelyingParty) -> None:
    page = await rp.authorize(response_mode="form_post", redirect_uri="https://evil.example/")
    assert (page.status_code, "evil.example" in page.text) == (400, False)
