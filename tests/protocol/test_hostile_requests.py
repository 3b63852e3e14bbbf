"""Malformed and hostile requests are refused in the form of the endpoint, and cause no server error."""

import re

import httpx
import pytest
from starlette.types import Message

from tests.support.auth_service import AuthService
from tests.support.relying_party import error_of


@pytest.fixture
def auth_database_url(auth_sqlite_url: str) -> str:
    """These rules do not depend on the database."""
    return auth_sqlite_url


@pytest.mark.parametrize("path", ["/token", "/revoke", "/introspect"])
@pytest.mark.parametrize("credentials", [b"\xe9", b"\xff\xfe==", "é".encode()])
async def test_credentials_that_are_not_ascii_are_refused(auth: AuthService, path: str, credentials: bytes) -> None:
    headers = {b"authorization": b"Basic " + credentials}
    response = await auth.http().post(path, data={"token": "x", "grant_type": "client_credentials"}, headers=headers)
    assert error_of(response) == (401, "invalid_client")


async def test_form_with_too_many_fields_is_refused(auth: AuthService) -> None:
    bot = auth.relying_party("bot")
    fields = {f"x{number}": "1" for number in range(95)}
    assert (await bot.client_credentials(**fields)).status_code == 200
    response = await bot.client_credentials(**fields, **{f"y{number}": "1" for number in range(5)})
    assert error_of(response) == (400, "invalid_request")
    assert response.json()["error_description"] == "there are too many parameters"


@pytest.mark.parametrize("path", ["/authorize", "/logout"])
@pytest.mark.parametrize("query", [b"state=\xff", "state=é".encode()])
async def test_query_that_is_not_ascii_is_answered_with_a_page(auth: AuthService, path: str, query: bytes) -> None:
    status, body = await _get(auth, path, query)
    assert status == 400
    assert b"We could not read this request" in body


async def _get(auth: AuthService, path: str, query: bytes) -> tuple[int, bytes]:
    """Call the application directly, because an HTTP client would encode the query."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": [(b"host", b"x")]}
    await auth.app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


async def test_signed_state_of_the_logout_page_is_refused_by_the_consent_page(auth: AuthService) -> None:
    """The logout page signs any query. The consent page must not show a scope that the client cannot request."""
    third = auth.relying_party("third-party")
    await third.browser.sign_in()
    query = third.authorization_url(scope="openid You_have_won").partition("?")[2]
    sealed = _sealed(await third.browser.open(f"/logout?{query}"))
    page = await third.browser.open(f"/consent?request={sealed}")
    assert 'id="allow"' in page.text
    assert "You_have_won" not in page.text


def _sealed(page: httpx.Response) -> str:
    found = re.search(r'name="request" value="([^"]+)"', page.text)
    assert found is not None
    return found.group(1)
