"""Clients: their rows, and what an operator does with them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from auth_service.client_metadata.metadata import OperatorMetadata
from auth_service.client_metadata.names import check_client_name
from auth_service.store.audit import audit_trail
from auth_service.store.logout import logout_deliveries
from auth_service.store.schema.tables import authorization_codes, client_origins, clients
from auth_service.store.tokens import revocations
from tallystick_service.store import lock_parent

IDENTITY_FIELDS = ("client_name", "redirect_uris", "application_type", "token_endpoint_auth_method")
"""Metadata by which a user knows a client. When one of them changes, stored consents and codes become void."""

DECISION_FIELDS = (
    *IDENTITY_FIELDS,
    *("client_uri", "logo_uri", "policy_uri", "tos_uri"),  # the consent page shows these, too
    *("scope", "grant_types", "require_pkce", "default_max_age", "first_party"),
)
"""Metadata that decide the answer to an authorization request."""

REGISTRATION = "registration"
"""The `origin` of a client that registered itself. The operator does not vouch for its metadata."""

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


class Client(OperatorMetadata):
    """A client that is not disabled, with its metadata as they are stored.

    Rows are not validated again: those of an earlier release may break a rule of today.
    """

    client_id: str
    client_name: str
    """The name to show: never empty, and for a client that registered itself always by today's rule for names."""
    secret_hash: bytes | None
    """SHA-256; None for a client with keys and for a public one."""
    origin: str
    is_unused: bool
    registered_with_token: bool
    basis: dict[str, Any]
    """The stored DECISION_FIELDS."""

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())

    @property
    def is_declared(self) -> bool:
        """Whether the operator declared it, so that its URLs may lead to addresses that are not public."""
        return self.origin != REGISTRATION

    @property
    def is_vouched_for(self) -> bool:
        """Whether the operator declared it, or gave its developer the initial access token."""
        return self.is_declared or self.registered_with_token


@dataclass(frozen=True)
class ClientRow:
    """One line of `client list`."""

    client_id: str
    client_name: str
    origin: str
    is_disabled: bool


def find_client(connection: Connection, client_id: str) -> Client | None:
    """None for a client that does not exist or is disabled."""
    row = connection.execute(_FIND, {"the_client": client_id}).one_or_none()
    return None if row is None else _client(row)


def decision_basis(metadata: dict[str, Any]) -> dict[str, Any]:
    """The DECISION_FIELDS. A decision that was made with them holds while the stored row has the same."""
    return {name: metadata.get(name) for name in DECISION_FIELDS}


def has_same_identity(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a user would take two versions of the metadata for the same client."""
    return all(before.get(name) == after.get(name) for name in IDENTITY_FIELDS)


def lock_unchanged(connection: Connection, client: Client) -> bool:
    """Lock the client's row until the commit. False when the client is disabled or its `basis` has changed."""
    row = lock_parent(connection, _METADATA, {"the_client": client.client_id})
    return row is not None and decision_basis(row.metadata) == client.basis


def mark_used(connection: Connection, client_id: str) -> None:
    """Exempt the client from pruning, because a user has used it."""
    connection.execute(
        update(clients).where(clients.c.client_id == client_id).values(prune_at=None, registered_from=None)
    )


def is_public_origin(connection: Connection, origin: str) -> bool:
    """Whether a public client has pages at this web origin."""
    return connection.execute(_IS_ORIGIN, {"the_origin": origin}).one_or_none() is not None


def set_origins(connection: Connection, client_id: str, origins: Collection[str]) -> None:
    """Replace the web origins from which a public client's pages may call /token and /revoke."""
    connection.execute(delete(client_origins).where(client_origins.c.client_id == client_id))
    if origins:
        connection.execute(
            insert(client_origins), [{"origin": origin, "client_id": client_id} for origin in sorted(set(origins))]
        )


def list_clients(connection: Connection) -> list[ClientRow]:
    rows = connection.execute(select(clients).order_by(clients.c.client_id))
    return [
        ClientRow(
            row.client_id, row.metadata.get("client_name") or row.client_id, row.origin, row.disabled_at is not None
        )
        for row in rows
    ]


def declared_names(connection: Connection) -> list[str]:
    """The shown names of the declared clients that are not disabled."""
    # Two ranges instead of "!=": then the index skips the clients that registered themselves, which may be many.
    is_declared = or_(clients.c.origin < REGISTRATION, clients.c.origin > REGISTRATION)
    declared = select(clients).where(is_declared, clients.c.disabled_at.is_(None))
    return [row.metadata.get("client_name") or row.client_id for row in connection.execute(declared)]


def disable_client(connection: Connection, client_id: str, *, by: str, now: int) -> bool:
    """Refuse the client from now on, revoke its token families, and void its codes for good.

    False when there is no such client.
    """
    # A redemption locks the code before the client, so this does, too. Codes issued meanwhile are voided afterwards.
    void_codes(connection, client_id)
    found = connection.execute(
        update(clients)
        .where(clients.c.client_id == client_id)
        .values(disabled_at=now, disabled_by=by)
        .returning(clients.c.client_id)
    ).one_or_none()
    void_codes(connection, client_id)
    logout_deliveries.drop_deliveries(connection, client_id)
    revocations.revoke_families_of_client(connection, client_id, now=now)
    if found is not None:
        audit_trail.record(connection, "client_disabled", now=now, client_id=client_id, by=by)
    return found is not None


def void_codes(connection: Connection, client_id: str) -> None:
    """Make every unredeemed code of this client expire, by any clock."""
    connection.execute(
        update(authorization_codes)
        .where(
            authorization_codes.c.client_id == client_id,
            authorization_codes.c.redeemed_at.is_(None),
            authorization_codes.c.expires_at > 0,
        )
        .values(expires_at=0)
    )


def enable_client(connection: Connection, client_id: str, *, by: str, now: int) -> bool:
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
    """The client_id replaces a missing name, and a registered name that breaks the current rule."""
    name: str | None = row.metadata.get("client_name")
    if name and row.origin == REGISTRATION:
        try:
            name = check_client_name(name)
        except ValueError:
            name = None
    return name or row.client_id


def _client(row: Any) -> Client:
    own = {
        "client_id": row.client_id,
        "client_name": _shown_name(row),
        "secret_hash": None if row.secret_hash is None else bytes(row.secret_hash),
        "origin": row.origin,
        "is_unused": row.prune_at is not None,
        "registered_with_token": row.registered_with_token,
        "basis": decision_basis(row.metadata),
    }
    return Client.model_construct(**row.metadata | own)
