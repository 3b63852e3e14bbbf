"""private_key_jwt: a client proves who it is by a signature (RFC 7523 §3, OIDC Core §9)."""

import hashlib
import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from auth_service.authentication.clients.client_keys import ClientKeys
from auth_service.authentication.clients.key_cache import Keys
from auth_service.clients.registry import ClientRegistry
from auth_service.limits.credential_failure_limit import AuthenticationFailed
from auth_service.store.clients import client_assertions
from auth_service.store.clients.clients import Client
from tallystick.claims import Identifier
from tallystick.clock import LEEWAY, Clock
from tallystick.errors import InvalidToken
from tallystick.jwt import CLIENT_ASSERTION, Header, parse_header, parse_unverified, verify_with_any_key
from tallystick.refusal_reasons import Reason
from tallystick_service.asgi.request_facts import note_auth_methods, note_client
from tallystick_service.store import Store

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""The only `client_assertion_type` (RFC 7523 §2.2)."""
LONGEST = 3600
"""Seconds that an assertion may be good for, and that its `jti` is remembered: client libraries take up to an hour."""
MOST_TRIES = 5
"""Keys tried for an assertion that names none."""

_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,200}")  # no other text is a client's name, or can be looked up in every store

Jti = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class ClientAssertionClaims(BaseModel):
    """An assertion's claims, in the form that RFC 7523 §3 gives them. Times are Unix seconds."""

    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)

    iss: Identifier
    sub: Identifier
    aud: str | list[str]
    jti: Jti
    exp: int | float
    iat: int | float | None = None
    nbf: int | float | None = None


class ClientAssertions:
    """Which client an assertion proves to be asking; each counts once."""

    def __init__(self, *, issuer: str, store: Store, registry: ClientRegistry, keys: ClientKeys, clock: Clock) -> None:
        self._audiences = frozenset({issuer, f"{issuer}/token"})
        self._store = store
        self._registry = registry
        self._keys = keys
        self._clock = clock

    async def authenticate(self, assertion: str, client_id: str | None) -> Client:
        """The client that made the assertion; `client_id` is the request's parameter of that name, if present.

        Raises AuthenticationFailed, with the same answer for every reason.
        """
        try:
            return await self._authenticate(assertion, client_id)
        except _Refused as refused:
            raise AuthenticationFailed(
                refused.reason,
                named=refused.named,
                client_id=refused.client.client_id if refused.client else None,
            ) from None

    async def _authenticate(self, assertion: str, client_id: str | None) -> Client:
        try:
            header = parse_header(assertion, CLIENT_ASSERTION)
            named = parse_unverified(assertion, CLIENT_ASSERTION).get("iss")
        except InvalidToken:
            raise _Refused("assertion_malformed") from None
        if not (isinstance(named, str) and _CLIENT_ID.fullmatch(named)) or client_id not in (None, named):
            raise _Refused("assertion_subject")
        client = await self._registry.client(named)
        if client is None:
            raise _Refused("client_unknown", named=named)
        note_client(client.client_id)
        note_auth_methods("private_key_jwt", client.token_endpoint_auth_method)
        if client.token_endpoint_auth_method != "private_key_jwt":  # noqa: S105
            raise _Refused("wrong_auth_method", client)
        if client.token_endpoint_auth_signing_alg not in (None, header.alg):
            raise _Refused("assertion_algorithm", client)
        try:
            verified = await self._verified(assertion, header, client)
            self._keys.prove(client)
            claims = ClientAssertionClaims.model_validate(verified)
        except InvalidToken:
            raise _Refused("assertion_signature", client) from None
        except ValueError:  # pydantic's ValidationError
            raise _Refused("assertion_malformed", client) from None
        self._check(claims, client)
        await self._spend(claims, client)
        return client

    async def _verified(self, assertion: str, header: Header, client: Client) -> dict[str, object]:
        try:
            return verify_with_any_key(assertion, CLIENT_ASSERTION, _fitting(await self._keys.of(client), header))
        except InvalidToken:
            newer = await self._keys.newer(client)  # the client may have a key since we last asked
            if newer is None:
                raise
            return verify_with_any_key(assertion, CLIENT_ASSERTION, _fitting(newer, header))

    def _check(self, claims: ClientAssertionClaims, client: Client) -> None:
        now = self._clock()
        if not claims.iss == claims.sub == client.client_id:
            raise _Refused("assertion_subject", client)
        audiences = {claims.aud} if isinstance(claims.aud, str) else set(claims.aud)
        if not audiences or not audiences <= self._audiences:
            raise _Refused("assertion_audience", client)
        if now - claims.exp > LEEWAY:
            raise _Refused("assertion_expired", client)
        if claims.exp - now > LONGEST + LEEWAY:
            raise _Refused("assertion_lifetime", client)
        if max(claims.iat or 0, claims.nbf or 0) - now > LEEWAY:
            raise _Refused("assertion_not_yet_valid", client)

    async def _spend(self, claims: ClientAssertionClaims, client: Client) -> None:
        """Last of all, so that only the client itself can use an assertion up."""
        is_first = await self._store.write(
            client_assertions.spend,
            client.client_id,
            hashlib.sha256(claims.jti.encode()).digest(),
            expires_at=int(claims.exp) + 2 * LEEWAY,  # the clocks of two processes may differ, too
            now=self._clock(),
        )
        if not is_first:
            raise _Refused("assertion_replayed", client)


class _Refused(Exception):
    """`named` is the client_id in the assertion, `client` the registered client of that name."""

    def __init__(self, reason: Reason, client: Client | None = None, *, named: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.client = client
        self.named = client.client_id if client else named


def _fitting(keys: Keys, header: Header) -> Keys:
    """By `kid` and alg, or by alg alone where the assertion has no `kid`."""
    fitting = (key for key in keys if key.is_for(header.alg) and header.kid in ("", key.kid))
    return tuple(fitting)[:MOST_TRIES]
