"""A user with a browser, and the client that they use: what an honest caller sends."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.reliability.declared import APP, PASSWORD, SCOPE, SECRET, redirect_uri
from tests.reliability.wire import Answer, Wire
from tests.support.relying_party import HtmlForm


class Refused(Exception):
    """An answer that is not the one an honest caller gets on a good day."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer))
        self.answer = answer

    @property
    def is_put_off(self) -> bool:
        """503 with Retry-After: come again."""
        return self.answer.status == 503 and "retry-after" in self.answer.headers


class Person:
    """`wire` leads to the process that is called; `issuer` is its name."""

    def __init__(self, wire: Wire, issuer: str, email: str, *, client_id: str = APP, scope: str = SCOPE) -> None:
        self.email = email
        self.client_id = client_id
        self.wire = wire
        self._issuer = issuer
        self._scope = scope
        self._cookies: dict[str, str] = {}

    def at(self, client_id: str) -> "Person":
        """The same browser, on the way to another client."""
        other = Person(self.wire, self._issuer, self.email, client_id=client_id, scope=self._scope)
        other._cookies = self._cookies
        return other

    def elsewhere(self, wire: Wire) -> "Person":
        """The same browser and client, by way of another process."""
        other = Person(wire, self._issuer, self.email, client_id=self.client_id, scope=self._scope)
        other._cookies = self._cookies
        return other

    # In the browser

    def forget(self) -> None:
        """All cookies, as in another browser."""
        self._cookies.clear()

    async def authorize(self) -> Answer:
        """Where the authorization request ends: on one of our pages, or on the way back to the client."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri(self.client_id),
            "scope": self._scope,
        }
        return await self._browse(await self._get(f"/authorize?{urlencode(query)}"))

    async def sign_in(self, password: str = PASSWORD) -> Answer:
        """By way of the login page, as far as the client's callback or its consent page."""
        return await self.submit(await self.authorize(), username=self.email, password=password)

    async def submit(self, page: Answer, **fields: str) -> Answer:
        if page.status != 200 or b"<form" not in page.body:
            raise Refused(page)
        form = HtmlForm()
        form.feed(page.text)
        filled = {name: value or "" for name, value in form.fields.items()} | fields
        answer = self._kept(await self.wire.post(form.action, filled, {"Origin": self._issuer, **self._headers()}))
        return await self._browse(answer)

    async def sign_out(self) -> None:
        """By the button on the page that asks whether to."""
        good(await self.submit(await self._browse(await self._get("/logout"))))

    async def code(self) -> str:
        """Of somebody who is signed in, and was asked all there is to ask."""
        return code_in(await self.authorize())

    async def _get(self, path: str) -> Answer:
        return self._kept(await self.wire.get(path, self._headers()))

    async def _browse(self, answer: Answer) -> Answer:
        while answer.status == 303 and answer.headers["location"].startswith("/"):
            answer = await self._get(answer.headers["location"])
        return answer

    def _headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return {"Cookie": cookies} if cookies else {}

    def _kept(self, answer: Answer) -> Answer:
        for cookie in filter(None, answer.headers.get("set-cookie", "").split("\n")):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer

    # As the client

    async def redeem(self, code: str) -> dict[str, Any]:
        return good(await self.client_post("/token", redemption(self.client_id, code))).json()

    async def tokens(self) -> dict[str, Any]:
        return await self.redeem(await self.code())

    async def refresh(self, refresh_token: str) -> dict[str, Any]:
        return good(await self.client_post("/token", rotation(refresh_token))).json()

    async def revoke(self, token: str) -> None:
        good(await self.client_post("/revoke", {"token": token}))

    async def is_active(self, token: str) -> bool:
        return bool(good(await self.client_post("/introspect", {"token": token})).json()["active"])

    async def client_post(self, path: str, form: Mapping[str, str]) -> Answer:
        return await self.wire.post(path, form, basic(self.client_id))


def redemption(client_id: str, code: str) -> dict[str, str]:
    """The form that trades a code for tokens."""
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri(client_id)}


def rotation(refresh_token: str) -> dict[str, str]:
    """The form that trades a refresh token for its successor."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}


def good(answer: Answer) -> Answer:
    """Raises Refused for anything but a 200."""
    if answer.status != 200:
        raise Refused(answer)
    return answer


def code_in(answer: Answer) -> str:
    """From the way back to the client. Raises Refused for any other answer."""
    codes = parse_qs(urlsplit(answer.headers.get("location", "")).query).get("code")
    if answer.status != 303 or not codes:
        raise Refused(answer)
    return codes[0]


def basic(client_id: str) -> dict[str, str]:
    """The headers of client_secret_basic; neither part needs to be form-encoded."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{SECRET}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
