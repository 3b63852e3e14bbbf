"""Copies of the images at clients' `logo_uri`, which we serve."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from auth_service.store.schema.tables import client_logos
from auth_service.store.tokens.owners import lock_active_owners
from tallystick_service.store import insert_on_conflict


@dataclass(frozen=True)
class Logo:
    media_type: str
    content: bytes


def find_logo(connection: Connection, client_id: str, logo_uri: str) -> Logo | None:
    """The copy from this `logo_uri`; None when the stored copy is from another one, or there is none."""
    row = connection.execute(_FIND, {"client_id": client_id, "logo_uri": logo_uri}).one_or_none()
    return None if row is None else Logo(row.media_type, bytes(row.content))


def store_logo(connection: Connection, client_id: str, logo_uri: str, logo: Logo, *, now: int) -> None:
    """Replace the client's stored copy. Does nothing when the client was deleted or disabled meanwhile."""
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
