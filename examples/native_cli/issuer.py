"""The requests to the issuer, an OAuth 2.0 authorization server."""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from examples.native_cli.errors import ProgramError, SignedOut
from examples.native_cli.loopback import receiver
from tallystick.urls import check_identifier, well_known

_ERROR_CODE = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,100}")  # RFC 6749 §5.2


@dataclass(frozen=True)
class Tokens:
    access_token: str
    refresh_token: str
    expires_at: float
    """When the access token expires, in Unix seconds."""


class Issuer:
    """Its methods raise httpx.HTTPError when it does not answer, and ProgramError when its response is an error."""

    def __init__(self, http: httpx.Client, issuer: str, client_id: str) -> None:
        self._http = http
        self._issuer = check_identifier(issuer)
        self._client_id = client_id

    def sign_in(self, scope: str, resource: str, *, show_url: Callable[[str], None], timeout: float) -> Tokens:
        """Send the user to the issuer, and redeem the code that comes back (RFC 6749 §4.1, RFC 7636, RFC 8252).

        `show_url` shows the authorization request to the user. `timeout`: seconds until the user has signed in.
        """
        metadata = self._metadata()
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        with receiver(state) as loopback:
            parameters = {
                "response_type": "code",
                "client_id": self._client_id,
                "redirect_uri": loopback.redirect_uri,
                "scope": scope,
                "resource": resource,
                "state": state,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
            show_url(f"{metadata['authorization_endpoint']}?{urlencode(parameters)}")
            response = loopback.wait(timeout)
        if response.get("iss") != self._issuer:  # before anything else of the response is used: RFC 9207 §2.4
            raise ProgramError("the response is of another issuer")
        if "code" not in response:
            raise ProgramError(f"the issuer answered: {_error_code(response)}")
        answer = self._post(
            metadata["token_endpoint"],
            grant_type="authorization_code",
            code=response["code"],
            redirect_uri=loopback.redirect_uri,
            code_verifier=verifier,
        )
        return _tokens(answer)

    def refresh(self, tokens: Tokens) -> Tokens:
        """Raises SignedOut when the issuer no longer accepts the refresh token."""
        endpoint = self._metadata()["token_endpoint"]
        return _tokens(self._post(endpoint, grant_type="refresh_token", refresh_token=tokens.refresh_token))

    def revoke(self, tokens: Tokens) -> None:
        """Revoke both tokens (RFC 7009)."""
        self._post(self._metadata()["revocation_endpoint"], token=tokens.refresh_token)

    def _metadata(self) -> dict[str, str]:
        """RFC 8414 §3.3: the metadata must name the expected issuer."""
        response = self._http.get(well_known(self._issuer, "oauth-authorization-server")).raise_for_status()
        metadata: dict[str, str] = _json(response)
        if metadata.get("issuer") != self._issuer:
            raise ProgramError(f"the metadata at {self._issuer} is of another issuer")
        return metadata

    def _post(self, endpoint: str, **form: str) -> dict[str, Any]:
        response = self._http.post(endpoint, data={"client_id": self._client_id, **form})
        if response.is_success:
            return _json(response) if response.content else {}
        error = _error_code(_json(response))
        if error == "invalid_grant" and form.get("grant_type") == "refresh_token":
            raise SignedOut
        raise ProgramError(f"the issuer answered: {error}")


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ProgramError(f"the issuer answered {response.status_code} without JSON")
    return body


def _error_code(parameters: dict[str, Any]) -> str:
    """Return the error code; only its specified characters are printed on the user's terminal."""
    error = parameters.get("error")
    return error if isinstance(error, str) and _ERROR_CODE.fullmatch(error) else "an error without a valid code"


def _tokens(answer: dict[str, Any]) -> Tokens:
    try:
        return Tokens(
            str(answer["access_token"]), str(answer["refresh_token"]), time.time() + int(answer["expires_in"])
        )
    except (KeyError, TypeError, ValueError):
        raise ProgramError("the token response is incomplete") from None
