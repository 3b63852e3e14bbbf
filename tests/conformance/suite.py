"""A relying party that checks everything. The modules of docs/conformance.md use it.

It knows the provider only by its documents, as the OpenID Foundation's suite does, and sends the same requests: no
PKCE, except in the module for PKCE.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.conformance.checks import (
    ANSWER_PARAMETERS,
    check_claims,
    check_error,
    check_jwks,
    check_token_response,
    read_id_token,
)
from tests.conformance.plan import Plan
from tests.support.auth_service import AuthService
from tests.support.relying_party import Browser, HtmlForm, basic

BASE = "https://suite.example.net/test/a"
CALLBACK = f"{BASE}/callback"
POST_LOGOUT = f"{BASE}/post_logout_redirect"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Client:
    """A client of the suite. `registration` is the response to its dynamic registration, if any."""

    client_id: str
    client_secret: str | None
    method: str
    redirect_uri: str = CALLBACK
    key: RSAKey | None = None
    registration: dict[str, Any] = field(default_factory=dict)


@dataclass
class Login:
    """The result of one run of the base flow."""

    tokens: dict[str, Any]
    claims: dict[str, Any]
    code: str

    @property
    def id_token(self) -> str:
        return str(self.tokens["id_token"])

    @property
    def access_token(self) -> str:
        return str(self.tokens["access_token"])


class Suite:
    """One run of a module: a provider, its documents, and a user's browser without a login."""

    def __init__(self, op: AuthService, plan: Plan, key: RSAKey) -> None:
        self.op = op
        self.plan = plan
        self.http = op.http()
        self.person = op.browser()
        self._key = key
        self._clients: list[Client] = []
        self.metadata: dict[str, Any] = {}
        self.jwks: dict[str, Any] = {}

    async def discover(self) -> None:
        response = await self.http.get("/.well-known/openid-configuration")
        assert response.status_code == 200
        self.metadata = response.json()
        self.jwks = (await self.http.get(self.metadata["jwks_uri"])).json()
        check_jwks(self.jwks)
        assert self.plan.token_endpoint_auth_method in self.metadata["token_endpoint_auth_methods_supported"]

    @property
    def issuer(self) -> str:
        return str(self.metadata["issuer"])

    # Clients

    async def client(self, *, method: str | None = None, **metadata: Any) -> Client:
        """A client as the plan requires. `metadata` is added to its registration."""
        method = method or self.plan.token_endpoint_auth_method
        if not self.plan.is_dynamic:
            client_id = "client" if method == "client_secret_basic" else method
            client_id += str(sum(known.method == method for known in self._clients) or "")
            declared = next(known for known in self.op.settings.client if known.client_id == client_id)
            client = Client(client_id, declared.client_secret, method)
        else:
            client = await self._register(method, metadata)
        self._clients.append(client)
        return client

    async def _register(self, method: str, metadata: dict[str, Any]) -> Client:
        response = await self.register(token_endpoint_auth_method=method, **metadata)
        assert response.status_code == 201, response.text
        registration: dict[str, Any] = response.json()
        assert ("client_secret" in registration) == (method == "client_secret_basic" or method == "client_secret_post")
        assert "client_secret" not in registration or "client_secret_expires_at" in registration
        assert ("registration_client_uri" in registration) == ("registration_access_token" in registration)
        return Client(
            registration["client_id"],
            registration.get("client_secret"),
            method,
            redirect_uri=registration["redirect_uris"][0],
            key=self._key,
            registration=registration,
        )

    async def register(self, **metadata: Any) -> httpx.Response:
        """Register a client. Its key has no kid."""
        request = {
            "client_name": "A client of the suite",
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "redirect_uris": [CALLBACK],
            "contacts": ["certification@example.net"],
            "jwks": {"keys": [self._key.as_dict(private=False) | {"use": "sig"}]},
        } | metadata
        if request["jwks"] is not None:
            request["jwks"]["keys"][0].pop("kid", None)
        return await self.http.post(
            self.metadata["registration_endpoint"], json={k: v for k, v in request.items() if v is not None}
        )

    # The authorization endpoint

    def parameters(self, client: Client, **changes: Any) -> dict[str, Any]:
        """The parameters of the base flow. A change to None removes a parameter."""
        parameters = {
            "client_id": client.client_id,
            "redirect_uri": client.redirect_uri,
            "scope": "openid",
            "state": secrets.token_urlsafe(12),
            "nonce": secrets.token_urlsafe(12),
            "response_type": "code",
            "response_mode": self.plan.response_mode,
        } | changes
        return {name: value for name, value in parameters.items() if value is not None}

    async def arrive(self, parameters: dict[str, Any], *, browser: Browser | None = None) -> httpx.Response:
        """Send the browser to the provider. Returns the first page, or the redirect to the client."""
        url = f"{self.metadata['authorization_endpoint']}?{urlencode(parameters)}"
        return await (browser or self.person).open(url.removeprefix(self.issuer))

    async def go_through(self, page: httpx.Response, *, browser: Browser | None = None) -> httpx.Response:
        """Complete the pages, until the browser is redirected to the client."""
        browser = browser or self.person
        if 'id="sign-in"' in page.text:
            page = await browser.sign_in(page)
        if 'id="allow"' in page.text:
            page = await browser.allow(page)
        return page

    def answer(self, response: httpx.Response, client: Client) -> dict[str, str]:
        """The parameters that reach the redirect_uri, by the response mode of the plan."""
        if self.plan.response_mode == "form_post":
            assert response.status_code == 200, response.text
            assert response.headers["content-type"].startswith("text/html")
            assert "<script" in response.text
            assert 'id="continue"' in response.text
            form = HtmlForm.on(response)
            assert form.action == client.redirect_uri
            return {name: value or "" for name, value in form.fields.items()}
        assert response.status_code in (302, 303), response.text
        sent_to = urlsplit(response.headers["location"])
        registered = urlsplit(client.redirect_uri)
        assert (sent_to.scheme, sent_to.netloc, sent_to.path) == registered[:3]
        assert not sent_to.fragment
        kept = parse_qsl(registered.query)
        pairs = parse_qsl(sent_to.query, keep_blank_values=True, strict_parsing=True)
        assert pairs[: len(kept)] == kept
        return dict(pairs[len(kept) :])

    async def authorize(self, client: Client, *, browser: Browser | None = None, **changes: Any) -> dict[str, str]:
        """Run the flow up to the authorization response with a code. `changes` apply to the request."""
        parameters = self.parameters(client, **changes)
        page = await self.go_through(await self.arrive(parameters, browser=browser), browser=browser)
        answer = self.answer(page, client)
        assert "code" in answer, answer
        assert answer.keys() <= ANSWER_PARAMETERS
        assert answer.get("state") == parameters.get("state")
        assert answer.get("iss", self.issuer) == self.issuer
        assert len(answer["code"]) >= 22  # 128 bits
        return answer

    async def refusal(self, client: Client, **changes: Any) -> str:
        """The error code that the provider redirects to the client without a page."""
        parameters = self.parameters(client, **changes)
        answer = self.answer(await self.arrive(parameters), client)
        assert "code" not in answer
        check_error(answer, issuer=self.issuer, state=parameters.get("state"))
        return answer["error"]

    # The token endpoint and userinfo

    async def call(self, client: Client, **parameters: Any) -> httpx.Response:
        """A request to the token endpoint, with the client's authentication method."""
        headers = {}
        match client.method:
            case "client_secret_basic":
                headers["Authorization"] = basic(client.client_id, client.client_secret or "")
            case "client_secret_post":
                parameters |= {"client_id": client.client_id, "client_secret": client.client_secret}
            case "private_key_jwt":
                assertion = parameters.pop("client_assertion", None) or self.assertion(client)
                parameters |= {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
            case "none":
                parameters |= {"client_id": client.client_id}
        return await self.http.post(self.metadata["token_endpoint"], data=parameters, headers=headers)

    def assertion(self, client: Client, **changes: Any) -> str:
        """A client assertion, signed with RS256 and without a kid, for the URL of the token endpoint."""
        assert client.key is not None
        now = self.op.clock()
        claims = {
            "iss": client.client_id,
            "sub": client.client_id,
            "aud": self.metadata["token_endpoint"],
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + 60,
        } | changes
        return jwt.encode({"alg": "RS256"}, claims, client.key)

    async def redeem(self, client: Client, code: str, **changes: Any) -> httpx.Response:
        parameters = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
        return await self.call(client, **parameters | changes)

    async def log_in(self, client: Client, *, browser: Browser | None = None, **changes: Any) -> Login:
        """The whole base flow. Each response is checked. `changes` apply to the authorization request."""
        changes = {"nonce": secrets.token_urlsafe(12)} | changes
        code = (await self.authorize(client, browser=browser, **changes))["code"]
        tokens = check_token_response(await self.redeem(client, code))
        claims = self.read(tokens["id_token"], client, nonce=changes["nonce"])
        userinfo = await self.userinfo(tokens["access_token"])
        assert userinfo["sub"] == claims["sub"]
        return Login(tokens, claims, code)

    def read(self, id_token: str, client: Client, *, nonce: str | None = None) -> dict[str, Any]:
        return read_id_token(
            id_token, self.jwks, issuer=self.issuer, client_id=client.client_id, nonce=nonce, now=self.op.clock()
        )

    async def userinfo(self, access_token: str) -> dict[str, Any]:
        response = await self.http.get(
            self.metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {access_token}"}
        )
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].partition(";")[0] == "application/json"
        claims: dict[str, Any] = response.json()
        check_claims(claims)
        return claims
