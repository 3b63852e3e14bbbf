"""A client of the auth service, and the browser of its user."""

import base64
import json
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import httpx

from auth_service.settings.declarations import DeclaredClient
from tests.support.declared import EMAIL, PASSWORD

CODE_VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CODE_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""RFC 7636 App. B."""

Parameters = dict[str, str]


def answer_of(response: httpx.Response) -> Parameters:
    """Return the parameters of a redirect to the client."""
    assert response.status_code == 303, response.text
    return dict(parse_qsl(urlsplit(response.headers["location"]).query))


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the `error` of a JSON response."""
    return response.status_code, response.json()["error"]


def answered(responses: Iterable[httpx.Response]) -> list[httpx.Response]:
    """Leave out responses with status 503, which concurrent requests can get on a busy machine."""
    return [response for response in responses if response.status_code != 503]


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a JWT without verifying its signature."""
    return _object(token.split(".")[1])


def header_of(token: str) -> dict[str, Any]:
    return _object(token.split(".")[0])


def _object(encoded: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    return members


class Browser:
    """Keeps cookies, follows redirects within the auth service, and submits its forms."""

    def __init__(self, http: httpx.AsyncClient, issuer: str) -> None:
        self.http = http
        self.issuer = issuer

    async def open(self, url: str) -> httpx.Response:
        return await self._follow(await self.http.get(url))

    async def submit(self, page: httpx.Response, *, origin: str | None = None, **fields: str | None) -> httpx.Response:
        """Submit the form of the page with `fields`; None removes a hidden field."""
        form = HtmlForm.on(page)
        filled = {name: value for name, value in (form.fields | fields).items() if value is not None}
        headers = {"Origin": self.issuer if origin is None else origin}
        return await self._follow(await self.http.post(form.action, data=filled, headers=headers))

    async def sign_in(
        self, page: httpx.Response | None = None, *, username: str = EMAIL, password: str = PASSWORD
    ) -> httpx.Response:
        """Submit the login page `page`; None: that of GET /login."""
        page = page or await self.open("/login")
        return await self.submit(page, username=username, password=password)

    async def allow(self, page: httpx.Response) -> httpx.Response:
        return await self.submit(page, decision="allow")

    async def deny(self, page: httpx.Response) -> httpx.Response:
        return await self.submit(page, decision="deny")

    async def _follow(self, response: httpx.Response) -> httpx.Response:
        while response.is_redirect and response.headers["location"].startswith("/"):
            response = await self.http.get(response.headers["location"])
        return response


class RelyingParty:
    """A client with a browser. A parameter that is None is left out, one that is a list is repeated."""

    def __init__(self, client: DeclaredClient, http: httpx.AsyncClient, browser: Browser) -> None:
        self.client_id = client.client_id
        self.client_secret = client.client_secret
        self.method = client.token_endpoint_auth_method
        self.redirect_uri = client.redirect_uris[0] if client.redirect_uris else None
        self.http = http
        self.browser = browser

    # The authorization endpoint

    def authorization_url(self, **changes: Any) -> str:
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid notes:read",
            "state": "a state of the client's",
            "nonce": "n-0S6_WzA2Mj",
            "code_challenge": CODE_CHALLENGE,
            "code_challenge_method": "S256",
        }
        return f"/authorize?{urlencode(_changed(parameters, changes), doseq=True)}"

    async def authorize(self, **changes: Any) -> httpx.Response:
        """Send an authorization request; return the page where it ends, or the redirect to the client."""
        return await self.browser.open(self.authorization_url(**changes))

    async def sign_in(self, **changes: Any) -> httpx.Response:
        """Do the same and submit the login page; return the redirect to the client, or the next page."""
        return await self.browser.sign_in(await self.authorize(**changes))

    async def authorization_code(self, **changes: Any) -> str:
        """Return a code. If necessary, sign in and allow the request on the way."""
        response = await self.authorize(**changes)
        if 'id="sign-in"' in response.text:
            response = await self.browser.sign_in(response)
        if 'id="allow"' in response.text:
            response = await self.browser.allow(response)
        return answer_of(response)["code"]

    # The token endpoint

    async def token(self, code: str, /, **changes: Any) -> httpx.Response:
        parameters = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": CODE_VERIFIER,
        }
        return await self.post("/token", _changed(parameters, changes))

    async def refresh(self, refresh_token: str, /, **changes: Any) -> httpx.Response:
        parameters = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self.post("/token", _changed(parameters, changes))

    async def client_credentials(self, **changes: Any) -> httpx.Response:
        return await self.post("/token", _changed({"grant_type": "client_credentials"}, changes))

    async def tokens(self, **changes: Any) -> dict[str, Any]:
        """Return the tokens of a new code; `changes` are to the authorization request."""
        response = await self.token(await self.authorization_code(**changes))
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()
        return tokens

    # Endpoints that take a token

    async def userinfo(self, access_token: str) -> httpx.Response:
        return await self.http.get("/userinfo", headers={"Authorization": f"Bearer {access_token}"})

    async def introspect(self, token: str, /, **changes: Any) -> httpx.Response:
        return await self.post("/introspect", _changed({"token": token}, changes))

    async def revoke(self, token: str, /, **changes: Any) -> httpx.Response:
        return await self.post("/revoke", _changed({"token": token}, changes))

    async def post(self, path: str, parameters: dict[str, Any]) -> httpx.Response:
        """Send a form with the client's authentication method."""
        headers = {}
        match self.method:
            case "client_secret_basic":
                headers["Authorization"] = basic(self.client_id, self.client_secret or "")
            case "client_secret_post":
                parameters = {"client_id": self.client_id, "client_secret": self.client_secret} | parameters
            case "none":
                parameters = {"client_id": self.client_id} | parameters
        return await self.http.post(path, data=parameters, headers=headers)


def basic(client_id: str, client_secret: str) -> str:
    """Return the Authorization header of client_secret_basic (RFC 6749 §2.3.1)."""
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()).decode()


def _changed(parameters: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (parameters | changes).items() if value is not None}


class HtmlForm(HTMLParser):
    """The action and the fields of a page's form."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str | None] = {}

    @classmethod
    def on(cls, page: httpx.Response) -> "HtmlForm":
        form = cls()
        form.feed(page.text)
        assert form.action, page.text
        return form

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form":
            self.action = attributes["action"] or ""
        elif tag == "input" and attributes.get("name"):
            self.fields[attributes["name"] or ""] = attributes.get("value") or ""
