"""A user's browser together with the client that the user signs in to.

It is not tests.support.relying_party because it must tell a lost response from an error, must never send a request
twice, and has to be cheap enough for thousands of requests a second next to the measured services.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.reliability.configuration import APP, PASSWORD, SCOPE, SECRET, redirect_uri
from tests.reliability.raw_http import RawHTTPClient, RawResponse
from tests.support import relying_party
from tests.support.relying_party import HtmlForm


class UnexpectedResponse(Exception):
    """A valid request was not answered with success."""

    def __init__(self, response: RawResponse) -> None:
        super().__init__(str(response))
        self.response = response


class UserAgent:
    """`http` is connected to one process of the auth service, whose name is `issuer`."""

    def __init__(
        self, http: RawHTTPClient, issuer: str, email: str, *, client_id: str = APP, scope: str = SCOPE
    ) -> None:
        self.email = email
        self.client_id = client_id
        self.http = http
        self._issuer = issuer
        self._scope = scope
        self._cookies: dict[str, str] = {}

    def for_client(self, client_id: str) -> "UserAgent":
        """Return the same browser with another client."""
        other = UserAgent(self.http, self._issuer, self.email, client_id=client_id, scope=self._scope)
        other._cookies = self._cookies
        return other

    def through(self, http: RawHTTPClient) -> "UserAgent":
        """Return the same browser and client, connected to another process."""
        other = UserAgent(http, self._issuer, self.email, client_id=self.client_id, scope=self._scope)
        other._cookies = self._cookies
        return other

    # The browser

    def clear_cookies(self) -> None:
        self._cookies.clear()

    async def authorize(self) -> RawResponse:
        """Return the end of the authorization request: a page of the auth service, or the redirect to the client."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri(self.client_id),
            "scope": self._scope,
        }
        return await self._follow(await self._get(f"/authorize?{urlencode(query)}"))

    async def sign_in(self, password: str = PASSWORD) -> RawResponse:
        """Submit the login page; return the redirect to the client, or the next page."""
        return await self.submit(await self.authorize(), username=self.email, password=password)

    async def submit(self, page: RawResponse, **fields: str) -> RawResponse:
        if page.status != 200 or b"<form" not in page.body:
            raise UnexpectedResponse(page)
        form = HtmlForm()
        form.feed(page.text)
        filled = {name: value or "" for name, value in form.fields.items()} | fields
        headers = {"Origin": self._issuer, **self._cookie_header()}
        return await self._follow(self._store_cookies(await self.http.post(form.action, filled, headers)))

    async def sign_out(self) -> None:
        """Submit the form of the logout page."""
        check_ok(await self.submit(await self._follow(await self._get("/logout"))))

    async def code(self) -> str:
        """Return a code without a page in between: the user is signed in and has given consent."""
        return code_in(await self.authorize())

    async def _get(self, path: str) -> RawResponse:
        return self._store_cookies(await self.http.get(path, self._cookie_header()))

    async def _follow(self, response: RawResponse) -> RawResponse:
        while response.status == 303 and response.headers["location"].startswith("/"):
            response = await self._get(response.headers["location"])
        return response

    def _cookie_header(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return {"Cookie": cookies} if cookies else {}

    def _store_cookies(self, response: RawResponse) -> RawResponse:
        for cookie in filter(None, response.headers.get("set-cookie", "").split("\n")):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return response

    # The client

    async def redeem(self, code: str) -> dict[str, Any]:
        return check_ok(await self.client_post("/token", code_grant(self.client_id, code))).json()

    async def tokens(self) -> dict[str, Any]:
        return await self.redeem(await self.code())

    async def refresh(self, refresh_token: str) -> dict[str, Any]:
        return check_ok(await self.client_post("/token", refresh_grant(refresh_token))).json()

    async def revoke(self, token: str) -> None:
        check_ok(await self.client_post("/revoke", {"token": token}))

    async def is_active(self, token: str) -> bool:
        return bool(check_ok(await self.client_post("/introspect", {"token": token})).json()["active"])

    async def client_post(self, path: str, form: Mapping[str, str]) -> RawResponse:
        return await self.http.post(path, form, basic(self.client_id))


def code_grant(client_id: str, code: str) -> dict[str, str]:
    """Return the token request of RFC 6749 §4.1.3."""
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri(client_id)}


def refresh_grant(refresh_token: str) -> dict[str, str]:
    """Return the token request of RFC 6749 §6."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}


def check_ok(response: RawResponse) -> RawResponse:
    """Return a response with status 200. Raises UnexpectedResponse for any other."""
    if response.status != 200:
        raise UnexpectedResponse(response)
    return response


def code_in(response: RawResponse) -> str:
    """Return the code in a redirect to the client. Raises UnexpectedResponse for any other response."""
    codes = parse_qs(urlsplit(response.headers.get("location", "")).query).get("code")
    if response.status != 303 or not codes:
        raise UnexpectedResponse(response)
    return codes[0]


def basic(client_id: str) -> dict[str, str]:
    """Return the header of client_secret_basic."""
    return {"Authorization": relying_party.basic(client_id, SECRET)}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
