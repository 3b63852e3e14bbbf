"""The RFC 6749 clients, and who they are in RFC 7591's words."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from auth_service.client_metadata.names import check_client_name
from auth_service.store.audit import audit_trail
from auth_service.store.logout import logout_deliveries
from auth_service.store.schema.tables import authorization_codes, client_origins, clients
from auth_service.store.tokens import revocations
from tallystick_service.store import lock_parent

IDENTITY = ("client_name", "redirect_uris", "application_type", "token_endpoint_auth_method")
"""Metadata that make a client the same client to a user who allowed it something. If one of them changes, stored
consents and codes are not the new client's."""

DECIDING = (
    *IDENTITY,
    *("client_uri", "logo_uri", "policy_uri", "tos_uri"),  # what the consent page shows besides
    *("scope", "grant_types", "require_pkce", "default_max_age", "first_party"),
)
"""Metadata on which the answer to an authorization request rests."""

REGISTRATION = "registration"
"""As the origin of a client: it registered itself, and what it says of itself is a stranger's word."""

_FIND = select(clients).where(clients.c.client_id == bindparam("the_client"), clients.c.disabled_at.is_(None))
_METADATA = select(clients.c.metadata).where(
    clients.c.client_id == bindparam("the_client"), clients.c.disabled_at.is_(None)
)
_IS_ORIGIN = (
    select(client_origins.c.origin)
    .join(clients, clients.c.client_id == client_origins.c.client_id)
    .where(client_origins.c.origin == bindparam("the_origin"), clients.c.disabled_at.is_(None))
    .limit(1)
)


@dataclass(frozen=True)
class Client:
    """A client that is not disabled. `secret_hash` is SHA-256; None when it has keys instead, or is public. `basis` is
    that of `basis_of`."""

    client_id: str
    secret_hash: bytes | None
    origin: str
    is_unused: bool
    registered_with_token: bool
    basis: dict[str, Any]
    client_name: str
    client_uri: str | None
    logo_uri: str | None
    policy_uri: str | None
    tos_uri: str | None
    application_type: str
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    initiate_login_uri: str | None
    backchannel_logout_uri: str | None
    grant_types: frozenset[str]
    scope: str
    token_endpoint_auth_method: str
    token_endpoint_auth_signing_alg: str | None
    jwks: dict[str, Any] | None
    jwks_uri: str | None
    id_token_signed_response_alg: str
    userinfo_signed_response_alg: str | None
    default_max_age: int | None
    require_pkce: bool
    first_party: bool
    id_token_claims: tuple[str, ...]

    @property
    def is_public(self) -> bool:
        return self.token_endpoint_auth_method == "none"  # noqa: S105

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())

    @property
    def is_declared(self) -> bool:
        """Whether those who run the service made it, so that its addresses may be trusted."""
        return self.origin != REGISTRATION

    @property
    def is_vouched_for(self) -> bool:
        """Whether an operator made it, or gave its makers the initial access token."""
        return self.is_declared or self.registered_with_token


@dataclass(frozen=True)
class ClientRow:
    """For those who run the service: one line of `client list`."""

    client_id: str
    client_name: str
    origin: str
    is_disabled: bool


def find(connection: Connection, client_id: str) -> Client | None:
    """A client that is not disabled."""
    row = connection.execute(_FIND, {"the_client": client_id}).one_or_none()
    return None if row is None else _client(row)


def basis_of(metadata: dict[str, Any]) -> dict[str, Any]:
    """The DECIDING members. A decision made with them is still good while the stored row has the same."""
    return {name: metadata.get(name) for name in DECIDING}


def has_same_identity(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether two versions of a client's metadata are of the same client to a user."""
    return all(before.get(name) == after.get(name) for name in IDENTITY)


def lock_unchanged(connection: Connection, client: Client) -> bool:
    """Hold the client's row until the commit; False when the client was disabled or its `basis` has changed."""
    row = lock_parent(connection, _METADATA, {"the_client": client.client_id})
    return row is not None and basis_of(row.metadata) == client.basis


def keep(connection: Connection, client_id: str) -> None:
    """The client is used, and so not pruned any more."""
    connection.execute(
        update(clients).where(clients.c.client_id == client_id).values(prune_at=None, registered_from=None)
    )


def is_public_origin(connection: Connection, origin: str) -> bool:
    """Whether a public client has a page of this web origin."""
    return connection.execute(_IS_ORIGIN, {"the_origin": origin}).one_or_none() is not None


def set_origins(connection: Connection, client_id: str, origins: Collection[str]) -> None:
    """In place of those it had: from where a public client's pages may call us."""
    connection.execute(delete(client_origins).where(client_origins.c.client_id == client_id))
    if origins:
        connection.execute(
            insert(client_origins), [{"origin": origin, "client_id": client_id} for origin in sorted(set(origins))]
        )


def list_rows(connection: Connection) -> list[ClientRow]:
    rows = connection.execute(select(clients).order_by(clients.c.client_id))
    return [
        ClientRow(
            row.client_id, row.metadata.get("client_name") or row.client_id, row.origin, row.disabled_at is not None
        )
        for row in rows
    ]


def declared_names(connection: Connection) -> list[str]:
    """What people see as the names of the declared clients that are not disabled."""
    # Two ranges and not "!=", so that the index leads past the many that registered themselves.
    is_declared = or_(clients.c.origin < REGISTRATION, clients.c.origin > REGISTRATION)
    declared = select(clients).where(is_declared, clients.c.disabled_at.is_(None))
    return [row.metadata.get("client_name") or row.client_id for row in connection.execute(declared)]


def disable(connection: Connection, client_id: str, *, by: str, now: int) -> bool:
    """Refuse the client from now on and end what it holds: token families, and codes, which stay void if the client is
    enabled again. False when there is no such client."""
    # Codes are locked before the client, in the order of a redemption. Those issued until the lock are voided after it.
    void_codes(connection, client_id)
    found = connection.execute(
        update(clients)
        .where(clients.c.client_id == client_id)
        .values(disabled_at=now, disabled_by=by)
        .returning(clients.c.client_id)
    ).one_or_none()
    void_codes(connection, client_id)
    logout_deliveries.drop(connection, client_id)
    revocations.revoke_of_client(connection, client_id, now=now)
    if found is not None:
        audit_trail.record(connection, "client_disabled", now=now, client_id=client_id, by=by)
    return found is not None


def void_codes(connection: Connection, client_id: str) -> None:
    """No unredeemed code of this client can be redeemed any more, by whatever clock."""
    connection.execute(
        update(authorization_codes)
        .where(
            authorization_codes.c.client_id == client_id,
            authorization_codes.c.redeemed_at.is_(None),
            authorization_codes.c.expires_at > 0,
        )
        .values(expires_at=0)
    )


def enable(connection: Connection, client_id: str, *, by: str, now: int) -> bool:
    """False when there is no such client."""
    found = connection.execute(
        update(clients)
        .where(clients.c.client_id == client_id)
        .values(disabled_at=None, disabled_by=None)
        .returning(clients.c.client_id)
    ).one_or_none()
    if found is not None:
        audit_trail.record(connection, "client_enabled", now=now, client_id=client_id, by=by)
    return found is not None


def _shown_name(row: Any) -> str:
    """A client that registered itself before its name had to follow today's rule is shown by its client_id."""
    name: str | None = row.metadata.get("client_name")
    if name and row.origin == REGISTRATION:
        try:
            name = check_client_name(name)
        except ValueError:
            name = None
    return name or row.client_id


def _client(row: Any) -> Client:
    metadata = row.metadata
    return Client(
        client_id=row.client_id,
        secret_hash=None if row.secret_hash is None else bytes(row.secret_hash),
        origin=row.origin,
        is_unused=row.prune_at is not None,
        registered_with_token=row.registered_with_token,
        basis=basis_of(metadata),
        client_name=_shown_name(row),
        client_uri=metadata.get("client_uri"),
        logo_uri=metadata.get("logo_uri"),
        policy_uri=metadata.get("policy_uri"),
        tos_uri=metadata.get("tos_uri"),
        application_type=metadata.get("application_type", "web"),
        redirect_uris=metadata["redirect_uris"],
        post_logout_redirect_uris=metadata["post_logout_redirect_uris"],
        initiate_login_uri=metadata.get("initiate_login_uri"),
        backchannel_logout_uri=metadata.get("backchannel_logout_uri"),
        grant_types=frozenset(metadata["grant_types"]),
        scope=metadata["scope"],
        token_endpoint_auth_method=metadata["token_endpoint_auth_method"],
        token_endpoint_auth_signing_alg=metadata.get("token_endpoint_auth_signing_alg"),
        jwks=metadata.get("jwks"),
        jwks_uri=metadata.get("jwks_uri"),
        id_token_signed_response_alg=metadata.get("id_token_signed_response_alg", "ES256"),
        userinfo_signed_response_alg=metadata.get("userinfo_signed_response_alg"),
        default_max_age=metadata.get("default_max_age"),
        require_pkce=metadata["require_pkce"],
        first_party=metadata.get("first_party", False),
        id_token_claims=tuple(metadata.get("id_token_claims") or ()),
    )
