"""Units of work on notes. Each takes the owner, so that it never reaches a note of another owner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from resource_service.store.tables import notes

VersionTest = Callable[[int], bool]
"""Whether a note of this version may be written."""


@dataclass(frozen=True)
class StoredNote:
    id: UUID
    title: str
    body: str
    version: int
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class VersionRefused:
    """The note exists, but `may_write` refused its version. Nothing was changed."""


def add_note(connection: Connection, owner: str, note_id: UUID, *, title: str, body: str, now: int) -> StoredNote:
    note = StoredNote(note_id, title, body, version=1, created_at=now, updated_at=now)
    connection.execute(insert(notes).values(owner=owner, **vars(note)))
    return note


def find_note(connection: Connection, owner: str, note_id: UUID) -> StoredNote | None:
    row = connection.execute(select(*_COLUMNS).where(_is_note(owner, note_id))).one_or_none()
    return None if row is None else StoredNote(*row)


def find_page(connection: Connection, owner: str, *, older_than: UUID | None, limit: int) -> Sequence[StoredNote]:
    """Notes, newest first. `older_than` is the last note of the page before; it may have been deleted."""
    query = select(*_COLUMNS).where(notes.c.owner == owner).order_by(notes.c.id.desc()).limit(limit)
    if older_than is not None:
        query = query.where(notes.c.id < older_than)
    return [StoredNote(*row) for row in connection.execute(query)]


def replace_note(
    connection: Connection, owner: str, note_id: UUID, *, title: str, body: str, now: int, may_write: VersionTest
) -> StoredNote | VersionRefused | None:
    """Replace title and body of a note. None when the owner has no such note."""
    match _lock_version(connection, owner, note_id):
        case None:
            return None
        case version if not may_write(version):
            return VersionRefused()
    changes = update(notes).where(_is_note(owner, note_id)).returning(*_COLUMNS)
    row = connection.execute(changes.values(title=title, body=body, version=notes.c.version + 1, updated_at=now)).one()
    return StoredNote(*row)


def delete_note(connection: Connection, owner: str, note_id: UUID, *, may_write: VersionTest) -> bool | VersionRefused:
    """Delete a note. False when the owner has no such note."""
    match _lock_version(connection, owner, note_id):
        case None:
            return False
        case version if not may_write(version):
            return VersionRefused()
    connection.execute(delete(notes).where(_is_note(owner, note_id)))
    return True


def delete_all_notes(connection: Connection, owner: str) -> None:
    connection.execute(delete(notes).where(notes.c.owner == owner))


def _lock_version(connection: Connection, owner: str, note_id: UUID) -> int | None:
    """Lock a note until the transaction ends, and return its version. SQLite needs no lock: it has one writer."""
    query = select(notes.c.version).where(_is_note(owner, note_id)).with_for_update()
    return connection.execute(query).scalar_one_or_none()


def _is_note(owner: str, note_id: UUID) -> ColumnElement[bool]:
    return and_(notes.c.owner == owner, notes.c.id == note_id)


_COLUMNS = (notes.c.id, notes.c.title, notes.c.body, notes.c.version, notes.c.created_at, notes.c.updated_at)
