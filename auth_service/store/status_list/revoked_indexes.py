"""The bits that are set in the status list: who sets them, and when they are cleared again.

A row lives on when its token family is gone, because the tokens do. It is taken into the list in three steps, so that
whatever order units commit in, none is overlooked: written (no revision), counted into a revision, listed.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from auth_service.store.schema.locks import Lock
from auth_service.store.schema.tables import revoked_indexes, status_lists, token_families
from tallystick_service.store import advisory_lock

_AT_ONCE = 10_000
"""Rows that one unit changes: of a crowd, some at a time, or no unit would end within its deadline."""
_FREED_AT_ONCE = 1000


def add_indexes(connection: Connection, indexes: Select[tuple[int]]) -> None:
    """What `indexes` selects is to be set in the next list. In the same unit as what revoked it."""
    insert: Any = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}[connection.dialect.name]
    connection.execute(
        insert(revoked_indexes)
        .from_select(["status_index"], indexes)
        .on_conflict_do_nothing(index_elements=[revoked_indexes.c.status_index])
    )


def await_listing(connection: Connection) -> bool:
    """Whether there are some that no list can have yet."""
    return connection.execute(select(exists().where(revoked_indexes.c.revision.is_(None)))).scalar_one()


def count_in(connection: Connection) -> bool:
    """Some that are committed by now are of a new revision, which the next list has whole; True: there may be more."""
    # The list is locked first, as whoever publishes it does, or each could wait for the other.
    revision = connection.execute(select(status_lists.c.revision + 1).with_for_update()).scalar_one()
    waiting = select(revoked_indexes.c.status_index).where(revoked_indexes.c.revision.is_(None)).limit(_AT_ONCE)
    counted = connection.execute(
        update(revoked_indexes).where(revoked_indexes.c.status_index.in_(waiting)).values(revision=revision)
    )
    if counted.rowcount:
        connection.execute(update(status_lists).values(revision=revision))
    return counted.rowcount == _AT_ONCE


def page(connection: Connection, *, after: int, revision: int, now: int, limit: int) -> Sequence[int]:
    """At most `limit` of the indexes whose bits are set in this revision, in order, from `after` on."""
    return (
        connection.execute(
            select(revoked_indexes.c.status_index)
            .where(
                revoked_indexes.c.status_index > after,
                revoked_indexes.c.revision <= revision,
                or_(revoked_indexes.c.clear_at.is_(None), revoked_indexes.c.clear_at > now),
            )
            .order_by(revoked_indexes.c.status_index)
            .limit(limit)
        )
        .scalars()
        .all()
    )


def note_listed(connection: Connection, *, revision: int, clear_at: int) -> bool:
    """Some that are in a published list: no token of theirs is believed after `clear_at`. Whether there may be more."""
    listed = select(revoked_indexes.c.status_index).where(
        revoked_indexes.c.revision <= revision, revoked_indexes.c.clear_at.is_(None)
    )
    noted = connection.execute(
        update(revoked_indexes)
        .where(revoked_indexes.c.status_index.in_(listed.limit(_AT_ONCE)))
        .values(clear_at=clear_at)
    )
    return noted.rowcount == _AT_ONCE


def free(connection: Connection, *, cleared_before: int) -> None:
    """Give back indexes whose bits were cleared so long ago that no list has them; those of a crowd in several goes."""
    # In turn with `reserve`: else what another process has freed and given away meanwhile would be freed once more.
    advisory_lock(connection, Lock.STATUS_BLOCKS)
    old = select(revoked_indexes.c.status_index).where(revoked_indexes.c.clear_at <= cleared_before)
    gone = list(connection.execute(old.order_by(revoked_indexes.c.clear_at).limit(_FREED_AT_ONCE)).scalars())
    if gone:
        mine = token_families.c.status_index.in_(gone)
        connection.execute(update(token_families).where(mine).values(status_index=None))
        connection.execute(delete(revoked_indexes).where(revoked_indexes.c.status_index.in_(gone)))
