"""httpx authentication with an access token of the client itself."""

import base64
import time
from collections.abc import Generator
from urllib.parse import quote_plus

import httpx

EXPIRY_MARGIN = 10
"""Seconds before its expiry at which a token is replaced, so that it does not expire on the way."""


class TokenRefused(Exception):
    """The issuer refused to issue a token; the text is its reason."""


class ClientCredentials(httpx.Auth):
    """`httpx.AsyncClient(auth=ClientCredentials(…))` requests a token when it needs one, and uses it until it expires.

    The requests of the client raise TokenRefused.
    """

    requires_response_body = True  # auth_flow reads the token response

    def __init__(self, token_endpoint: str, client_id: str, client_secret: str, *, scope: str, resource: str) -> None:
        """`scope`: what the token allows. `resource`: the API that it is for (RFC 8707)."""
        # Both parts are form-encoded (RFC 6749 §2.3.1), so that neither contains a colon.
        credentials = f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()
        self._token_request = httpx.Request(
            "POST",
            token_endpoint,
            headers={"Authorization": f"Basic {base64.b64encode(credentials).decode()}"},
            data={"grant_type": "client_credentials", "scope": scope, "resource": resource},
        )
        self._access_token = ""
        self._use_until = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if time.monotonic() >= self._use_until:
            yield from self._request_token()
        request.headers["Authorization"] = f"Bearer {self._access_token}"
        response = yield request
        if response.status_code == 401:  # it was revoked, or its key was withdrawn: try a new one
            yield from self._request_token()
            request.headers["Authorization"] = f"Bearer {self._access_token}"
            yield request

    def _request_token(self) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield self._token_request
        body = response.json()
        if response.status_code != 200:
            raise TokenRefused(f"{body['error']}: {body.get('error_description', 'no reason given')}")
        self._access_token = body["access_token"]
        self._use_until = time.monotonic() + body["expires_in"] - EXPIRY_MARGIN
