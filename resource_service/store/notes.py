"""Units of work on notes. Every one of them names the owner, so none can reach another's note."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from resource_service.store.tables import notes

VersionTest = Callable[[int], bool]
"""Says whether a note of this version may be written."""


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
    """The note is there, but the caller's test did not want this version of it. Nothing was changed."""


def add(connection: Connection, owner: str, note_id: UUID, *, title: str, body: str, now: int) -> StoredNote:
    note = StoredNote(note_id, title, body, version=1, created_at=now, updated_at=now)
    connection.execute(insert(notes).values(owner=owner, **vars(note)))
    return note


def find(connection: Connection, owner: str, note_id: UUID) -> StoredNote | None:
    row = connection.execute(select(*_SHOWN).where(_is_note(owner, note_id))).one_or_none()
    return None if row is None else StoredNote(*row)


def find_page(connection: Connection, owner: str, *, older_than: UUID | None, limit: int) -> Sequence[StoredNote]:
    """The newest notes first. `older_than` is the last note of the page before, and need not exist any more."""
    query = select(*_SHOWN).where(notes.c.owner == owner).order_by(notes.c.id.desc()).limit(limit)
    if older_than is not None:
        query = query.where(notes.c.id < older_than)
    return [StoredNote(*row) for row in connection.execute(query)]


def replace(
    connection: Connection, owner: str, note_id: UUID, *, title: str, body: str, now: int, may_write: VersionTest
) -> StoredNote | VersionRefused | None:
    """Give a note another title and body. None: there is no such note of this owner."""
    match _lock_version(connection, owner, note_id):
        case None:
            return None
        case version if not may_write(version):
            return VersionRefused()
    changes = update(notes).where(_is_note(owner, note_id)).returning(*_SHOWN)
    row = connection.execute(changes.values(title=title, body=body, version=notes.c.version + 1, updated_at=now)).one()
    return StoredNote(*row)


def remove(connection: Connection, owner: str, note_id: UUID, *, may_write: VersionTest) -> bool | VersionRefused:
    """False: there is no such note of this owner."""
    match _lock_version(connection, owner, note_id):
        case None:
            return False
        case version if not may_write(version):
            return VersionRefused()
    connection.execute(delete(notes).where(_is_note(owner, note_id)))
    return True


def remove_all(connection: Connection, owner: str) -> None:
    connection.execute(delete(notes).where(notes.c.owner == owner))


def _lock_version(connection: Connection, owner: str, note_id: UUID) -> int | None:
    """The version that a note has until the end of this unit. SQLite has one writer at a time and needs no lock."""
    query = select(notes.c.version).where(_is_note(owner, note_id)).with_for_update()
    return connection.execute(query).scalar_one_or_none()


def _is_note(owner: str, note_id: UUID) -> ColumnElement[bool]:
    return and_(notes.c.owner == owner, notes.c.id == note_id)


_SHOWN = (notes.c.id, notes.c.title, notes.c.body, notes.c.version, notes.c.created_at, notes.c.updated_at)
