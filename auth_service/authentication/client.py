"""Which client is asking (RFC 6749 §2.3): client_secret_basic, client_secret_post, private_key_jwt, none."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import unquote_plus

from starlette.requests import Request

from auth_service.authentication.client_assertion import JWT_BEARER, ClientAssertions
from auth_service.form import Form
from auth_service.registry import Registry
from auth_service.store.clients import Client
from tallystick.errors import InvalidClient, InvalidRequest

_ABSENT = hashlib.sha256(b"").digest()


@dataclass(frozen=True)
class Presented:
    """What a request says about its client, before anything of it is believed."""

    client_id: str
    client_secret: str | None
    token_endpoint_auth_method: str


class ClientAuthentication:
    """For every endpoint at which clients call: a client uses the one method it is registered with."""

    def __init__(self, registry: Registry, assertions: ClientAssertions) -> None:
        self._registry = registry
        self._assertions = assertions

    async def authenticate(self, request: Request, form: Form) -> Client:
        """The client that makes this request.

        Raises InvalidClient when it is unknown or cannot prove itself, alike for every reason; InvalidRequest when it
        presents itself twice.
        """
        if "client_assertion" in form or "client_assertion_type" in form:
            return await self._assertions.authenticate(_assertion(request, form), form.get("client_id"))
        presented = _presented(request, form)
        client = await self._registry.client(presented.client_id)
        expected = (client.secret_hash if client else None) or _ABSENT
        secret = (presented.client_secret or "").encode("utf-8", "surrogatepass")
        matches = hmac.compare_digest(hashlib.sha256(secret).digest(), expected)
        if client is None or presented.token_endpoint_auth_method != client.token_endpoint_auth_method:
            raise _refused()
        if not client.is_public and not (matches and client.secret_hash):
            raise _refused()
        return client


def _assertion(request: Request, form: Form) -> str:
    if "authorization" in request.headers or "client_secret" in form:
        raise InvalidRequest("the client must authenticate in one way only")
    assertion = form.require("client_assertion")
    if form.require("client_assertion_type") != JWT_BEARER:
        raise _refused()
    return assertion


def _presented(request: Request, form: Form) -> Presented:
    authorization = request.headers.getlist("authorization")
    if not authorization:
        client_id = form.get("client_id")
        if client_id is None:
            raise InvalidClient("no client authentication")
        secret = form.get("client_secret")
        return Presented(client_id, secret, "none" if secret is None else "client_secret_post")
    if len(authorization) > 1 or "client_secret" in form:
        raise InvalidRequest("the client must authenticate in one way only")
    client_id, client_secret = _basic(authorization[0])
    if form.get("client_id", client_id) != client_id:
        raise InvalidRequest("client_id in the body differs from the one in the Authorization header")
    return Presented(client_id, client_secret, "client_secret_basic")


def _basic(authorization: str) -> tuple[str, str]:
    """client_id and client_secret are form-encoded first, then joined, then base64 (RFC 6749 §2.3.1)."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise _refused()
    try:
        client_id, colon, secret = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
        if not colon:
            raise _refused()
        return unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except ValueError:  # not ASCII, not base64, not UTF-8
        raise _refused() from None


def _refused() -> InvalidClient:
    return InvalidClient("client authentication failed")
