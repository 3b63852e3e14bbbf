"""The RFC 6749 clients, and who they are in RFC 7591's words."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from auth_service.store import token_families
from auth_service.store.tables import clients


@dataclass(frozen=True)
class Client:
    """A registered client that is not disabled. `secret_hash` is SHA-256, None for a public client."""

    client_id: str
    secret_hash: bytes | None
    client_name: str
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    grant_types: frozenset[str]
    token_endpoint_auth_method: str
    application_type: str
    scope: str
    require_pkce: bool
    first_party: bool

    @property
    def is_public(self) -> bool:
        return self.token_endpoint_auth_method == "none"  # noqa: S105

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())


@dataclass(frozen=True)
class ClientRow:
    """For those who run the service: one line of `client list`."""

    client_id: str
    client_name: str
    origin: str
    is_disabled: bool


def load_all(connection: Connection) -> dict[str, Client]:
    """Every client that is not disabled, by client_id."""
    rows = connection.execute(select(clients).where(clients.c.disabled_at.is_(None)))
    return {row.client_id: _client(row) for row in rows}


def find(connection: Connection, client_id: str) -> Client | None:
    """A client that is not disabled."""
    row = connection.execute(
        select(clients).where(clients.c.client_id == client_id, clients.c.disabled_at.is_(None))
    ).one_or_none()
    return None if row is None else _client(row)


def list_rows(connection: Connection) -> list[ClientRow]:
    rows = connection.execute(select(clients).order_by(clients.c.client_id))
    return [
        ClientRow(
            row.client_id, row.metadata.get("client_name") or row.client_id, row.origin, row.disabled_at is not None
        )
        for row in rows
    ]


def disable(connection: Connection, client_id: str, *, by: str, now: int) -> bool:
    """Refuse the client from now on and end what it holds; False when there is no such client."""
    found = connection.execute(
        update(clients)
        .where(clients.c.client_id == client_id)
        .values(disabled_at=now, disabled_by=by)
        .returning(clients.c.client_id)
    ).one_or_none()
    token_families.revoke_of_client(connection, client_id, now=now)
    return found is not None


def enable(connection: Connection, client_id: str) -> bool:
    """False when there is no such client."""
    found = connection.execute(
        update(clients)
        .where(clients.c.client_id == client_id)
        .values(disabled_at=None, disabled_by=None)
        .returning(clients.c.client_id)
    )
    return found.one_or_none() is not None


def _client(row: Any) -> Client:
    metadata = row.metadata
    return Client(
        client_id=row.client_id,
        secret_hash=None if row.secret_hash is None else bytes(row.secret_hash),
        client_name=metadata.get("client_name") or row.client_id,
        redirect_uris=metadata["redirect_uris"],
        post_logout_redirect_uris=metadata["post_logout_redirect_uris"],
        grant_types=frozenset(metadata["grant_types"]),
        token_endpoint_auth_method=metadata["token_endpoint_auth_method"],
        application_type=metadata["application_type"],
        scope=metadata["scope"],
        require_pkce=metadata["require_pkce"],
        first_party=metadata["first_party"],
    )
