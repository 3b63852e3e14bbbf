"""The audiences tokens are issued for, and the scopes each of them understands."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from auth_service.store.tables import apis


@dataclass(frozen=True)
class Api:
    audience: str
    name: str
    scopes: dict[str, str]  # scope → what it allows, for the consent page
    introspection_clients: frozenset[str]


def load_all(connection: Connection) -> dict[str, Api]:
    """Every declared API, by audience."""
    rows = connection.execute(select(apis).where(apis.c.disabled_at.is_(None)).order_by(apis.c.audience))
    return {row.audience: Api(row.audience, row.name, row.scopes, frozenset(row.introspection_clients)) for row in rows}
