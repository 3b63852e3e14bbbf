"""private_key_jwt: a client authenticates with a signed assertion (RFC 7523 §3, OIDC Core §9)."""

import hashlib

from auth_service.authentication.clients.client_assertion import (
    AssertionRefused,
    ClientAssertion,
    ClientAssertionClaims,
    check_claims,
)
from auth_service.authentication.clients.client_keys import ClientKeys
from auth_service.clients.registry import ClientRegistry
from auth_service.limits.credential_failure_limit import AuthenticationFailed
from auth_service.store.clients import client_assertions
from auth_service.store.clients.clients import Client
from tallystick.clock import LEEWAY, Clock
from tallystick.errors import InvalidToken
from tallystick_service.asgi.request_facts import note_auth_methods, note_client
from tallystick_service.store import Store


class PrivateKeyJWT:
    """Authenticates clients by their assertions. Each assertion is accepted once."""

    def __init__(self, *, issuer: str, store: Store, registry: ClientRegistry, keys: ClientKeys, clock: Clock) -> None:
        self._audiences = frozenset({issuer, f"{issuer}/token"})
        self._store = store
        self._registry = registry
        self._keys = keys
        self._clock = clock

    async def authenticate(self, text: str, client_id: str | None) -> Client:
        """The client that made the assertion `text`. `client_id` is the request parameter of that name, if present.

        Raises AuthenticationFailed, with the same response for every reason.
        """
        try:
            assertion = ClientAssertion.parse(text, client_id)
        except AssertionRefused as refused:
            raise AuthenticationFailed(refused.reason) from None
        client = await self._registry.client(assertion.client_id)
        if client is None:
            raise AuthenticationFailed("client_unknown", named=assertion.client_id)
        note_client(client.client_id)
        note_auth_methods("private_key_jwt", client.token_endpoint_auth_method)
        try:
            await self._check(assertion, client)
        except AssertionRefused as refused:
            raise AuthenticationFailed(refused.reason, named=client.client_id, client_id=client.client_id) from None
        return client

    async def _check(self, assertion: ClientAssertion, client: Client) -> None:
        if client.token_endpoint_auth_method != "private_key_jwt":  # noqa: S105
            raise AssertionRefused("wrong_auth_method")
        if client.token_endpoint_auth_signing_alg not in (None, assertion.header.alg):
            raise AssertionRefused("assertion_algorithm")
        try:
            payload = await self._verify_signature(assertion, client)
        except InvalidToken:
            raise AssertionRefused("assertion_signature") from None
        self._keys.mark_proven(client)
        claims = check_claims(payload, client.client_id, audiences=self._audiences, now=self._clock())
        await self._spend(claims, client)

    async def _verify_signature(self, assertion: ClientAssertion, client: Client) -> dict[str, object]:
        try:
            return assertion.verify_signature(await self._keys.cached(client))
        except InvalidToken:
            refetched = await self._keys.refetched(client)  # the client may have published a new key
            if refetched is None:
                raise
            return assertion.verify_signature(refetched)

    async def _spend(self, claims: ClientAssertionClaims, client: Client) -> None:
        """The last check, so that only the client itself can use up a `jti`."""
        is_first = await self._store.write(
            client_assertions.spend_assertion,
            client.client_id,
            hashlib.sha256(claims.jti.encode()).digest(),
            expires_at=int(claims.exp) + 2 * LEEWAY,  # the clocks of two processes may differ, too
            now=self._clock(),
        )
        if not is_first:
            raise AssertionRefused("assertion_replayed")
