"""The images at clients' `logo_uri`, fetched once and served by us."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from auth_service.store.schema.tables import client_logos
from auth_service.store.tokens.owners import lock_active_owners
from tallystick_service.store import insert_on_conflict


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
    if lock_active_owners(connection, client_id=client_id, sub=None, sid=None, now=now):
        given = {"client_id": client_id, "logo_uri": logo_uri, "media_type": logo.media_type, "content": logo.content}
        connection.execute(_KEEP[connection.dialect.name], given)


_FIND = select(client_logos.c.media_type, client_logos.c.content).where(
    client_logos.c.client_id == bindparam("client_id"), client_logos.c.logo_uri == bindparam("logo_uri")
)
_KEEP = insert_on_conflict(
    client_logos,
    lambda insert: insert.on_conflict_do_update(
        index_elements=[client_logos.c.client_id],
        set_={name: insert.excluded[name] for name in ("logo_uri", "media_type", "content")},
    ),
)
