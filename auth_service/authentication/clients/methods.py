"""Client authentication (RFC 6749 §2.3): client_secret_basic, client_secret_post, private_key_jwt and none."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from auth_service.authentication.clients.client_assertion import JWT_BEARER
from auth_service.authentication.clients.private_key_jwt import PrivateKeyJWT
from auth_service.clients.registry import ClientRegistry
from auth_service.http.form import Form
from auth_service.limits.credential_failure_limit import AuthenticationFailed, CredentialFailureLimit
from auth_service.store.clients.clients import Client
from tallystick.errors import InvalidRequest
from tallystick.refusal_reasons import Reason
from tallystick_service.asgi.request_facts import note_auth_methods, note_client

_HASH_OF_NO_SECRET = hashlib.sha256(b"").digest()


@dataclass(frozen=True)
class PresentedCredentials:
    """The credentials of a request, unverified.

    With client_secret_basic there are two readings of client_id and secret: form-decoded, as RFC 6749 §2.3.1 has it,
    and as sent, because many programs, for example `curl -u`, do not form-encode. They differ only with `+` and `%`.
    """

    client_ids: tuple[str, ...]
    client_secrets: tuple[str, ...]
    token_endpoint_auth_method: str


class ClientAuthentication:
    """Authenticates a client at any endpoint by the one method that the client is registered with."""

    def __init__(self, registry: ClientRegistry, assertions: PrivateKeyJWT, failures: CredentialFailureLimit) -> None:
        self._registry = registry
        self._assertions = assertions
        self._failures = failures

    async def authenticate(self, form: Form, *, authorization: Sequence[str], address: str) -> Client:
        """The client that makes the request.

        `authorization` holds the values of all Authorization headers. `address` is the caller's IP address.

        Raises InvalidClient for an unknown client and for wrong credentials, with the same response for every reason;
        InvalidRequest for credentials in two places; TooManyRequests after too many failures from this address.
        """
        try:
            client = await self._authenticate(form, authorization)
        except AuthenticationFailed as failed:
            await self._failures.count(
                "client_authentication_failed",
                named=failed.named,
                address=address,
                reason=failed.reason,
                client_id=failed.client_id,
            )
            raise
        note_client(client.client_id)
        return client

    async def _authenticate(self, form: Form, authorization: Sequence[str]) -> Client:
        if "client_assertion" in form or "client_assertion_type" in form:
            return await self._assertions.authenticate(_assertion(form, authorization), form.get("client_id"))
        presented = _presented_credentials(form, authorization)
        client = await self._find(presented)
        expected = (client.secret_hash if client else None) or _HASH_OF_NO_SECRET
        matches = [hmac.compare_digest(_hash(secret), expected) for secret in presented.client_secrets]
        if client is None:
            raise AuthenticationFailed("client_unknown", named=presented.client_ids[0])
        used, registered = presented.token_endpoint_auth_method, client.token_endpoint_auth_method
        if used != registered:
            raise _failed("wrong_auth_method", client, used=used)
        if not client.is_public and not (any(matches) and client.secret_hash):
            raise _failed("wrong_secret", client, used=used)
        return client

    async def _find(self, presented: PresentedCredentials) -> Client | None:
        for client_id in presented.client_ids:
            client = await self._registry.client(client_id)
            if client is not None:
                return client
        return None


def _failed(reason: Reason, client: Client, *, used: str) -> AuthenticationFailed:
    note_client(client.client_id)
    note_auth_methods(used, client.token_endpoint_auth_method)
    return AuthenticationFailed(reason, named=client.client_id, client_id=client.client_id)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _assertion(form: Form, authorization: Sequence[str]) -> str:
    if authorization or "client_secret" in form:
        raise _several_credentials()
    assertion = form.require("client_assertion")
    if form.require("client_assertion_type") != JWT_BEARER:
        raise AuthenticationFailed("assertion_type_unsupported")
    return assertion


def _presented_credentials(form: Form, authorization: Sequence[str]) -> PresentedCredentials:
    if not authorization:
        client_id = form.get("client_id")
        if client_id is None:
            raise AuthenticationFailed("client_authentication_missing", description="no client authentication")
        secret = form.get("client_secret")
        method = "none" if secret is None else "client_secret_post"
        return PresentedCredentials((client_id,), () if secret is None else (secret,), method)
    if len(authorization) > 1 or "client_secret" in form:
        raise _several_credentials()
    presented = _parse_basic(authorization[0])
    if form.get("client_id", presented.client_ids[0]) not in presented.client_ids:
        raise InvalidRequest(
            "client_id in the body differs from the one in the Authorization header",
            reason="client_authentication_twice",
        )
    return presented


def _several_credentials() -> InvalidRequest:
    return InvalidRequest("the client must authenticate in one way only", reason="client_authentication_twice")


def _parse_basic(authorization: str) -> PresentedCredentials:
    """client_id and client_secret are form-encoded, then joined, then base64-encoded (RFC 6749 §2.3.1)."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise AuthenticationFailed("credentials_malformed")
    try:
        client_id, colon, secret = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except ValueError:  # not ASCII, not base64, or not UTF-8
        raise AuthenticationFailed("credentials_malformed") from None
    if not colon:
        raise AuthenticationFailed("credentials_malformed")
    return PresentedCredentials(_readings(client_id), _readings(secret), "client_secret_basic")


def _readings(text: str) -> tuple[str, ...]:
    """`text` form-decoded and as sent. One value if both are the same, or if `text` is not form-encoded UTF-8."""
    if "%" not in text and "+" not in text:
        return (text,)
    try:
        decoded = unquote_plus(text, errors="strict")
    except ValueError:
        return (text,)
    return (decoded, text) if decoded != text else (text,)
