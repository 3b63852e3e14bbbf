"""Dynamic client registration (RFC 7591) and its management (RFC 7592)."""

import hashlib
import hmac
import secrets
from typing import Any

from auth_service.client_metadata.names import looks_like_one_of
from auth_service.client_metadata.redirect_uris import web_origin
from auth_service.clients.registry import ClientRegistry
from auth_service.limits.buckets import bucket, network_of, site_of
from auth_service.limits.credential_failure_limit import CredentialFailureLimit
from auth_service.registration.request import RegisteredMetadata, check_update, validate_metadata
from auth_service.settings.settings import RegistrationSettings
from auth_service.store.clients import clients, registrations
from auth_service.store.clients.registrations import Registration
from auth_service.store.limits import rate_limits
from tallystick.clock import Clock
from tallystick.errors import (
    InvalidClientMetadata,
    InvalidRedirectURI,
    InvalidToken,
    TemporarilyUnavailable,
    TooManyRequests,
)
from tallystick.refusal_reasons import Reason
from tallystick_service.asgi.request_facts import note_client
from tallystick_service.store import Store

KEEP_UNUSED = 86_400
"""Seconds after which a client that was never used may be pruned."""

ClientInformation = dict[str, Any]
"""The client information response of RFC 7591 §3.2.1."""


class RegistrationService:
    """Every method raises StoreUnavailable. A `token` is the value after `Bearer` in the request."""

    def __init__(
        self,
        settings: RegistrationSettings,
        store: Store,
        registry: ClientRegistry,
        failures: CredentialFailureLimit,
        clock: Clock,
        *,
        issuer: str,
        initial_access_token: str | None,
    ) -> None:
        """`initial_access_token` is the token itself, also if the settings have it as `env:` or `file:`."""
        self._require_pkce = settings.require_pkce
        self._max_clients = settings.max_clients
        self._private_use_schemes = frozenset(settings.private_use_schemes)
        self._is_open_to_all = settings.mode == "open"
        self._initial_access_token = initial_access_token
        self._store = store
        self._registry = registry
        self._failures = failures
        self._clock = clock
        self._issuer = issuer
        self.is_offered = settings.mode != "off"
        """Whether the server metadata have a `registration_endpoint`.

        They do even if no initial access token is configured and every registration is refused, because the refusal
        names the missing setting. Without the endpoint, the MCP SDK guesses a URL at the resource server and reports
        its 404.
        """

    @property
    def needs_token(self) -> bool:
        return not self._is_open_to_all

    @property
    def takes_token(self) -> bool:
        """Whether an initial access token is checked. In open mode it is optional, and marks a vouched client."""
        return self.needs_token or self._initial_access_token is not None

    async def check_initial_access_token(self, token: str, *, address: str) -> None:
        """RFC 7591 §3. Raises InvalidToken, for every token if none is configured, and TooManyRequests after too many
        failures from this address."""
        expected = self._initial_access_token
        if expected is None or not hmac.compare_digest(_hash(token), _hash(expected)):
            reason: Reason = "initial_access_token_wrong"
            await self._failures.count("registration_refused", named="", address=address, reason=reason)
            raise InvalidToken("this is not the initial access token", reason=reason)

    async def register(
        self, request: dict[str, Any], *, address: str, with_initial_token: bool = False
    ) -> ClientInformation:
        """Register a client. `with_initial_token`: the request had the initial access token, and it was checked.

        Raises InvalidRedirectURI, InvalidClientMetadata, TooManyRequests or TemporarilyUnavailable.
        """
        metadata = await self._validate(request)
        if self._is_open_to_all:
            await self._charge(address)
        await self._check_name_is_free(metadata)
        client_id, token = secrets.token_hex(16), secrets.token_urlsafe(32)
        secret = secrets.token_urlsafe(32) if metadata.has_secret else None
        registration = Registration(
            client_id=client_id,
            token_hash=_hash(token),
            secret_hash=None if secret is None else _hash(secret),
            metadata=metadata.model_dump(),
            origins=metadata.web_origins,
            created_at=self._clock(),
            with_initial_token=with_initial_token,
        )
        added = await self._store.write(
            registrations.add_registration,
            registration,
            registered_from=_hash(site_of(address)),
            keep_unused=KEEP_UNUSED,
            max_clients=self._max_clients,
        )
        if not added:
            raise TemporarilyUnavailable(
                "there are as many registered clients as there may be",
                retry_after=3600,
                reason="registrations_exhausted",
            )
        self._registry.forget(client_id)
        return self._information(registration, token=token, secret=secret)

    async def read(self, client_id: str, token: str, *, address: str) -> ClientInformation:
        """RFC 7592 §2.1. The secret is left out, because only its hash is stored.

        Raises InvalidToken or TooManyRequests.
        """
        return self._information(await self._authenticate(client_id, token, address=address), token=token)

    async def replace(self, client_id: str, token: str, request: dict[str, Any], *, address: str) -> ClientInformation:
        """RFC 7592 §2.2. A client that now needs a secret and has none gets one. Otherwise the secret does not change.

        Raises InvalidToken, InvalidRedirectURI, InvalidClientMetadata, TooManyRequests, or TemporarilyUnavailable when
        two updates run at the same time.
        """
        before = await self._authenticate(client_id, token, address=address)
        check_update(request, client_id=client_id)
        claimed = request.get("client_secret")
        if claimed is not None and not (isinstance(claimed, str) and _is_secret(claimed, before.secret_hash)):
            raise InvalidClientMetadata("client_secret must be the client's current one")
        metadata = await self._validate(request)
        await self._check_name_is_free(metadata)
        secret = None
        secret_hash = before.secret_hash if metadata.has_secret else None
        if metadata.has_secret and secret_hash is None:
            secret = secrets.token_urlsafe(32)
            secret_hash = _hash(secret)
        after = Registration(
            client_id=client_id,
            token_hash=before.token_hash,
            secret_hash=secret_hash,
            metadata=metadata.model_dump(),
            origins=metadata.web_origins,
            created_at=before.created_at,
        )
        replaced = await self._store.write(
            registrations.replace_registration,
            after,
            secret_before=before.secret_hash,
            differs=_changed_fields(before, after),
            audit_bucket=bucket("audited changes", client_id, burst=20, interval=3600),
            now=self._clock(),
        )
        if not replaced:
            raise TemporarilyUnavailable("the registration was changed or ended at the same time", reason="conflict")
        self._registry.forget(client_id)
        return self._information(after, token=token, secret=secret)

    async def remove(self, client_id: str, token: str, *, address: str) -> None:
        """RFC 7592 §2.3: delete the client with all its data, and revoke its access tokens.

        Raises InvalidToken or TooManyRequests.
        """
        await self._authenticate(client_id, token, address=address)
        await self._store.write(registrations.delete_client, client_id, now=self._clock())
        self._registry.forget(client_id)

    async def _authenticate(self, client_id: str, token: str, *, address: str) -> Registration:
        found = await self._store.read(registrations.find_registration, client_id)
        # The comparison is made in either case, so that the response time does not tell whether the client exists.
        matches = hmac.compare_digest(_hash(token), found.token_hash if found else _hash(""))
        if found is not None:
            note_client(client_id)
        if found is None or not matches:
            refusal = _unknown()
            await self._failures.count(
                "registration_refused",
                named=client_id,
                address=address,
                reason=refusal.reason,
                client_id=client_id if found else None,
            )
            raise refusal
        return found

    async def _validate(self, request: dict[str, Any]) -> RegisteredMetadata:
        known_scopes = frozenset((await self._registry.apis()).owner)
        metadata = validate_metadata(
            request,
            require_pkce=self._require_pkce,
            known_scopes=known_scopes,
            private_use_schemes=self._private_use_schemes,
        )
        if any(web_origin(uri) == web_origin(self._issuer) for uri in metadata.redirect_uris):
            # With response_mode form_post, our own page would send its form to one of our own endpoints.
            raise InvalidRedirectURI("redirect_uris: one of them is this server's own")
        return metadata

    async def _check_name_is_free(self, metadata: RegisteredMetadata) -> None:
        """Raises InvalidClientMetadata for a name that looks like that of a declared client."""
        name = metadata.client_name
        if name is not None and looks_like_one_of(name, await self._store.read(clients.declared_names)):
            raise InvalidClientMetadata("client_name is that of a client which the configuration declares, or like it")

    async def _charge(self, address: str) -> None:
        """Allow 200 registrations per address, then one in 20 seconds. Unused ones are pruned faster than that."""
        counted = [
            bucket("registration", network, burst=200, interval=20)
            for network in {network_of(address), site_of(address)}
        ]
        wait = await self._store.write(rate_limits.charge_and_prune, counted, now_ms=self._clock() * 1000)
        if wait:
            raise TooManyRequests("too many clients were registered from this address", retry_after=-(-wait // 1000))

    def _information(self, registration: Registration, *, token: str, secret: str | None = None) -> ClientInformation:
        information = {name: value for name, value in registration.metadata.items() if value is not None}
        del information["require_pkce"]  # our own, not a registered name
        information |= {
            "client_id": registration.client_id,
            "client_id_issued_at": registration.created_at,
            "registration_client_uri": f"{self._issuer}/register/{registration.client_id}",
            "registration_access_token": token,
        }
        if registration.secret_hash is not None:
            information["client_secret_expires_at"] = 0  # never
        if secret is not None:
            information["client_secret"] = secret
        return information


def _changed_fields(before: Registration, after: Registration) -> set[str]:
    names = before.metadata.keys() | after.metadata.keys()
    changed = {name for name in names if before.metadata.get(name) != after.metadata.get(name)}
    return changed if before.secret_hash == after.secret_hash else changed | {"client_secret"}


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _is_secret(claimed: str, secret_hash: bytes | None) -> bool:
    return secret_hash is not None and hmac.compare_digest(_hash(claimed), secret_hash)


def _unknown() -> InvalidToken:
    return InvalidToken("there is no such client, or this is not its token", reason="registration_token_wrong")
