"""Pages that name a self-registered client: its metadata are unchecked, and it cannot choose where they lead."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from auth_service.registration.service import KEEP_UNUSED
from auth_service.store.clients import clients
from auth_service.store.clients import registrations as store
from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import NOTES
from tests.support.registration import new_client, op, relying_party
from tests.support.relying_party import answer_of, claims_of

__all__ = ["op"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_a_registered_client_needs_consent(op: AuthService, method: str) -> None:
    rp = relying_party(op, await new_client(op, token_endpoint_auth_method=method))
    page = await rp.browser.sign_in(await rp.authorize(scope="openid email"))
    assert 'id="allow"' in page.text
    assert "A new app" in page.text
    assert 'id="unchecked"' in page.text  # no operator vouches for its metadata
    tokens = await rp.tokens(scope="openid email")
    assert (await rp.userinfo(tokens["access_token"])).json()["email"]


async def test_the_consent_page_shows_the_scheme_of_a_private_use_uri(op: AuthService) -> None:
    """The host has no meaning: com.evil.app://accounts.google.com/cb opens the program that owns the scheme."""
    rp = relying_party(op, await new_client(op, redirect_uris=["com.evil.app://accounts.google.com/cb"]))
    page = await rp.browser.sign_in(await rp.authorize(scope="openid"))
    assert "<bdi>com.evil.app</bdi>" in page.text
    assert "A program on this device is asking" in page.text
    assert "<bdi>accounts.google.com" not in page.text


async def test_every_page_with_the_name_has_the_notice_that_it_is_unchecked_above_its_buttons(op: AuthService) -> None:
    left = "https://new.example.org/left"
    rp = relying_party(op, await new_client(op, post_logout_redirect_uris=[left]))
    pages = {"login": await rp.authorize(scope="openid")}
    pages["consent"] = await rp.browser.sign_in(pages["login"])
    await rp.browser.allow(pages["consent"])
    pages["form_post"] = await rp.authorize(scope="openid", response_mode="form_post")
    tokens = await rp.tokens(scope="openid")
    elsewhere = op.relying_party("app-one")
    await elsewhere.sign_in()
    pages["logout"] = await elsewhere.browser.open(
        f"/logout?{urlencode({'id_token_hint': tokens['id_token'], 'post_logout_redirect_uri': left})}"
    )
    for name, page in pages.items():
        assert "A new app" in page.text, name
        assert page.text.index('id="unchecked"') < page.text.index("<button"), name


async def test_a_page_of_a_declared_client_has_no_notice_of_an_unchecked_name(op: AuthService) -> None:
    rp = op.relying_party("third-party")
    login_page = await rp.authorize()
    for page in (login_page, await rp.browser.sign_in(login_page)):
        assert "Third Party" in page.text
        assert 'id="unchecked"' not in page.text


async def test_a_stored_name_that_breaks_the_rule_is_not_shown(op: AuthService, clock: MovableClock) -> None:
    information = await new_client(op)
    registration = await op.store.read(store.find_registration, information["client_id"])
    assert registration is not None
    old = replace(registration, client_id="old", metadata=registration.metadata | {"client_name": "\u3164 Bank"})
    assert await op.store.write(
        store.add_registration, old, registered_from=b"", keep_unused=KEEP_UNUSED, max_clients=10
    )
    client = await op.store.read(clients.find_client, "old")
    assert client is not None
    assert client.client_name == "old"


async def test_the_consent_page_lists_the_scopes_of_apis(op: AuthService) -> None:
    rp = relying_party(op, await new_client(op, scope="openid notes:read"))
    page = await rp.browser.sign_in(await rp.authorize(scope="openid notes:read"))
    assert "Read your notes" in page.text
    assert 'id="error">invalid_scope<' in (await rp.authorize(scope="openid notes:write")).text


async def test_a_client_registered_without_scope_may_request_every_scope_of_its_kind(op: AuthService) -> None:
    """RFC 7591 §2. The user is asked for consent to each scope, and a token is for one API."""
    rp = relying_party(op, await new_client(op))
    page = await rp.browser.sign_in(await rp.authorize(scope="notes:read", resource=NOTES))
    assert "Read your notes" in page.text
    code = answer_of(await rp.browser.allow(page))["code"]
    tokens = (await rp.token(code, resource=NOTES)).json()
    assert claims_of(tokens["access_token"])["aud"] == NOTES
    assert tokens["scope"] == "notes:read"


async def test_an_expired_form_links_to_the_initiate_login_uri(op: AuthService, clock: MovableClock) -> None:
    """OIDC Core §4: the link has the issuer in `iss`."""
    information = await new_client(op, initiate_login_uri="https://new.example.org/login?from=us")
    rp = relying_party(op, information)
    consent_page = await rp.browser.sign_in(await rp.authorize(scope="openid"))
    clock.advance(seconds=3601)
    page = await rp.browser.allow(consent_page)
    assert page.status_code == 400
    again = page.text.index('href="https://new.example.org/login?from=us&amp;iss=https%3A%2F%2Fid.example.com"')
    assert page.text.index('id="unchecked"') < again  # with the host of the link
    assert "<bdi>new.example.org</bdi>" in page.text


async def test_an_expired_sign_out_form_does_not_link_to_the_initiate_login_uri(
    op: AuthService, clock: MovableClock
) -> None:
    information = await new_client(op, initiate_login_uri="https://new.example.org/login")
    browser = op.browser()
    await browser.sign_in()
    page = await browser.open(f"/logout?client_id={information['client_id']}")
    clock.advance(seconds=3601)
    expired = await browser.submit(page)
    assert f'href="/logout?client_id={information["client_id"]}"' in expired.text
    assert "new.example.org" not in expired.text
