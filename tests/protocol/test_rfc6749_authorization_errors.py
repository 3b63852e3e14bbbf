"""Errors of the authorization endpoint (RFC 6749 §4.1.2.1) go to the client if that is safe, else to a page."""

import re
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from auth_service.store.clients import clients
from tests.support.auth_service import AuthService
from tests.support.declared import ISSUER
from tests.support.relying_party import RelyingParty, answer_of


def shown_error(page: httpx.Response) -> tuple[int, str]:
    match = re.search(r'id="error">([a-z_]+)<', page.text)
    assert match, page.text
    return page.status_code, match[1]


def shown_text(page: httpx.Response) -> str:
    match = re.search(r"<h1>.*</h1>\s*<p class=\"lead\">(.*?)</p>", page.text, re.DOTALL)
    assert match, page.text
    return match[1]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": " "}, "invalid_scope"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": 'openid "'}, "invalid_scope"),
        ({"scope": ["openid", "email"]}, "invalid_request"),
        ({"nonce": ["a", "b"]}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "1" * 10}, "invalid_request"),
        ({"max_age": "١"}, "invalid_request"),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
        ({"request_uri": "https://app-one.example.org/request"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"prompt": "none"}, "login_required"),
        ({"id_token_hint": "not.a.token"}, "invalid_request"),
    ],
)
async def test_an_error_is_sent_to_the_client_with_state_and_iss(
    rp: RelyingParty, fault: dict[str, Any], error: str
) -> None:
    assert "sign-in" in (await rp.authorize()).text
    response = await rp.authorize(**fault)
    answer = answer_of(response)
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "a state of the client's", ISSUER)
    assert "code" not in answer
    assert response.headers["location"].startswith("https://app-one.example.org/callback?")
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", answer["error_description"])


async def test_an_absent_state_is_not_returned(rp: RelyingParty) -> None:
    assert "state" not in answer_of(await rp.authorize(scope="admin", state=None))


async def test_a_repeated_state_is_not_returned(rp: RelyingParty) -> None:
    answer = answer_of(await rp.authorize(state=["one", "two"]))
    assert answer["error"] == "invalid_request"
    assert "state" not in answer


async def test_the_state_is_returned_byte_for_byte(rp: RelyingParty) -> None:
    state = "&=?#%+ /é€😀\"'<script>\n" + "x" * 1000
    assert answer_of(await rp.sign_in(state=state))["state"] == state


async def test_a_redirect_uri_keeps_its_query(auth: AuthService) -> None:
    response = await auth.relying_party("app-query").sign_in()
    assert response.headers["location"].startswith("https://app-query.example.org/callback?tenant=1&code=")
    assert answer_of(response)["tenant"] == "1"


async def test_a_client_without_redirect_uris_gets_a_page(auth: AuthService) -> None:
    service = auth.relying_party("bot")
    assert shown_error(await service.authorize(redirect_uri="https://bot.example.org/callback"))[1] == "invalid_request"


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/callback",
        "https://app-one.example.org/callback/",
        "https://app-one.example.org/callback?x=1",
        "https://app-one.example.org/callback#x",
        "https://app-one.example.org/Callback",
        "https://APP-ONE.example.org/callback",
        "https://app-one.example.org:443/callback",
        "https://app-one.example.org/x/../callback",
        "https://app-one.example.org/%63allback",
        "https://app-one.example.org@evil.example/callback",
        "http://app-one.example.org/callback",
        "//app-one.example.org/callback",
        "/callback",
        "javascript:alert(1)",
        " https://app-one.example.org/callback",
        "https://app-one.example.org/callback\n",
        ["https://app-one.example.org/callback", "https://evil.example/callback"],
        ["https://app-one.example.org/callback", "https://app-one.example.org/callback"],
        None,
    ],
)
async def test_an_unregistered_redirect_uri_is_never_followed(
    rp: RelyingParty, redirect_uri: str | list[str] | None
) -> None:
    page = await rp.authorize(redirect_uri=redirect_uri)
    assert shown_error(page) == (400, "invalid_request")
    assert "location" not in page.headers
    assert "evil.example" not in page.text


@pytest.mark.postgresql
@pytest.mark.parametrize("client_id", ["nobody", "", None, "APP-ONE"])
async def test_an_unknown_client_gets_a_page(rp: RelyingParty, client_id: str | None) -> None:
    assert shown_error(await rp.authorize(client_id=client_id)) == (400, "invalid_client")


@pytest.mark.parametrize("client_id", [["app-one", "app-two"], ["app-one", "app-one"]])
async def test_a_repeated_client_id_gets_a_page_that_names_the_error(rp: RelyingParty, client_id: list[str]) -> None:
    page = await rp.authorize(client_id=client_id)
    assert shown_error(page) == (400, "invalid_request")
    assert "more than once" in shown_text(page)


@pytest.mark.postgresql
async def test_a_disabled_client_gets_a_page(auth: AuthService, rp: RelyingParty) -> None:
    await auth.store.write(clients.disable_client, "app-one", by="command", now=auth.clock())
    assert shown_error(await rp.authorize()) == (400, "invalid_client")


@pytest.mark.parametrize("query", ["state=%00", "state=%FF", "state=%ED%A0%80", "x=1&" * 200, "state=" + "x" * 9000])
async def test_a_query_that_is_not_form_encoded_gets_a_page(rp: RelyingParty, query: str) -> None:
    page = await rp.browser.open(f"{rp.authorization_url(state=None)}&{query}")
    assert shown_error(page) == (400, "invalid_request")


async def test_each_kind_of_error_page_has_its_own_text(rp: RelyingParty) -> None:
    login = await rp.authorize()
    pages = [
        await rp.authorize(client_id="nobody"),
        await rp.authorize(redirect_uri="https://evil.example/"),
        await rp.authorize(redirect_uri=None),
        await rp.authorize(client_id=["app-one", "app-two"]),
        await rp.authorize(state="\0"),
        await rp.browser.submit(login, request="forged", origin="https://evil.example"),
        await rp.browser.open("/consent?" + urlencode({"request": login.url.params["request"]})),
    ]
    assert len({shown_text(page) for page in pages}) == len(pages)


async def test_an_error_page_shows_the_request_id(rp: RelyingParty) -> None:
    page = await rp.authorize(client_id="nobody")
    assert f"<code>{page.headers['x-request-id']}</code>" in page.text


async def test_an_authorization_request_may_be_posted(rp: RelyingParty) -> None:
    parameters = dict(httpx.URL(rp.authorization_url()).params)
    redirect = await rp.http.post("/authorize", data=parameters)
    assert redirect.status_code == 303
    assert httpx.URL(redirect.headers["location"]).params == httpx.URL(rp.authorization_url()).params
    page = await rp.browser.open(redirect.headers["location"])
    assert "code" in answer_of(await rp.browser.sign_in(page))


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"client_id=app-one", "text/plain"),
        (b"client_id=%FF", "application/x-www-form-urlencoded"),
        (b"client_id=a&client_id=b", "application/x-www-form-urlencoded"),
        (b"state=" + b"x" * 9000, "application/x-www-form-urlencoded"),
    ],
)
async def test_a_malformed_post_gets_a_page(rp: RelyingParty, content: bytes, content_type: str) -> None:
    page = await rp.http.post("/authorize", content=content, headers={"Content-Type": content_type})
    assert shown_error(page) == (400, "invalid_request")
