"""The images at clients' `logo_uri`, fetched once and served by us."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from auth_service.store.parents import parents_are_alive
from auth_service.store.tables import client_logos


@dataclass(frozen=True)
class Logo:
    media_type: str
    content: bytes


def find(connection: Connection, client_id: str, logo_uri: str) -> Logo | None:
    """What was fetched from this very `logo_uri`: None when the client has had another since."""
    row = connection.execute(_FIND, {"client_id": client_id, "logo_uri": logo_uri}).one_or_none()
    return None if row is None else Logo(row.media_type, bytes(row.content))


def keep(connection: Connection, client_id: str, logo_uri: str, logo: Logo, *, now: int) -> None:
    """In place of the one the client had; nothing for a client that is gone meanwhile."""
    if parents_are_alive(connection, client_id=client_id, sub=None, sid=None, now=now):
        given = {"client_id": client_id, "logo_uri": logo_uri, "media_type": logo.media_type, "content": logo.content}
        connection.execute(_KEEP[connection.dialect.name], given)


def _keeping(insert: Any) -> Any:
    """SQLite and PostgreSQL spell the same statement differently; each form is made once."""
    names = ("logo_uri", "media_type", "content")
    statement = insert(client_logos).values({name: bindparam(name) for name in ("client_id", *names)})
    return statement.on_conflict_do_update(
        index_elements=[client_logos.c.client_id], set_={name: statement.excluded[name] for name in names}
    )


_FIND = select(client_logos.c.media_type, client_logos.c.content).where(
    client_logos.c.client_id == bindparam("client_id"), client_logos.c.logo_uri == bindparam("logo_uri")
)
_KEEP = {"postgresql": _keeping(postgresql.insert), "sqlite": _keeping(sqlite.insert)}
