"""A program's own access token, put on every request that an httpx client sends."""

import base64
import time
from collections.abc import Generator
from urllib.parse import quote_plus

import httpx

EARLY = 10
"""Seconds before its expiry at which a token is no longer used, so that it does not expire on the way."""


class TokenRefused(Exception):
    """The issuer gave no token; the text is its reason."""


class ClientCredentials(httpx.Auth):
    """`httpx.AsyncClient(auth=ClientCredentials(…))` asks for a token when it needs one, and uses it while it lives.

    Raises TokenRefused from the client's request.
    """

    requires_response_body = True  # the token is in a body

    def __init__(self, token_endpoint: str, client_id: str, client_secret: str, *, scope: str, resource: str) -> None:
        """`scope` is what the token shall allow, `resource` the API that it is for (RFC 8707)."""
        # Both are form-encoded before they are joined (RFC 6749 §2.3.1), so that neither can hold a colon.
        credentials = f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()
        self._token_request = httpx.Request(
            "POST",
            token_endpoint,
            headers={"Authorization": f"Basic {base64.b64encode(credentials).decode()}"},
            data={"grant_type": "client_credentials", "scope": scope, "resource": resource},
        )
        self._access_token = ""
        self._good_until = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if time.monotonic() >= self._good_until:
            yield from self._ask_for_token()
        request.headers["Authorization"] = f"Bearer {self._access_token}"
        response = yield request
        if response.status_code == 401:  # revoked, or signed by a key that was withdrawn: a new one may do
            yield from self._ask_for_token()
            request.headers["Authorization"] = f"Bearer {self._access_token}"
            yield request

    def _ask_for_token(self) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield self._token_request
        answer = response.json()
        if response.status_code != 200:
            raise TokenRefused(f"{answer['error']}: {answer.get('error_description', 'no reason given')}")
        self._access_token = answer["access_token"]
        self._good_until = time.monotonic() + answer["expires_in"] - EARLY
