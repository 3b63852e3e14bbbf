"""The indexes whose bits are set in the status list, from the revocation until the bit is cleared.

A row stays when its token family is deleted, because access tokens may still be valid. It passes three steps, so that
none is overlooked whatever order units commit in: written without a revision, assigned to a revision, listed.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from auth_service.store.schema.locks import Lock
from auth_service.store.schema.tables import revoked_indexes, status_lists, token_families
from tallystick_service.store import advisory_lock

_MAX_CHANGED = 10_000
"""Rows that one unit changes. A mass revocation takes several units, so that each ends within its deadline."""
_MAX_FREED = 1000


def add_indexes(connection: Connection, indexes: Select[tuple[int]]) -> None:
    """Set the bits of the selected indexes in the next list. Called in the unit that revokes their families."""
    insert: Any = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}[connection.dialect.name]
    connection.execute(
        insert(revoked_indexes)
        .from_select(["status_index"], indexes)
        .on_conflict_do_nothing(index_elements=[revoked_indexes.c.status_index])
    )


def has_unlisted(connection: Connection) -> bool:
    """Whether there are indexes without a revision, which no list can contain yet."""
    return connection.execute(select(exists().where(revoked_indexes.c.revision.is_(None)))).scalar_one()


def assign_revision(connection: Connection) -> bool:
    """Assign a new revision to indexes that are committed by now. The next list contains all of a revision.

    True: there may be more of them.
    """
    # The list's row is locked first, as when a list is published; in another order two units could wait for each other.
    revision = connection.execute(select(status_lists.c.revision + 1).with_for_update()).scalar_one()
    waiting = select(revoked_indexes.c.status_index).where(revoked_indexes.c.revision.is_(None)).limit(_MAX_CHANGED)
    counted = connection.execute(
        update(revoked_indexes).where(revoked_indexes.c.status_index.in_(waiting)).values(revision=revision)
    )
    if counted.rowcount:
        connection.execute(update(status_lists).values(revision=revision))
    return counted.rowcount == _MAX_CHANGED


def read_page(connection: Connection, *, after: int, revision: int, now: int, limit: int) -> Sequence[int]:
    """At most `limit` of the indexes whose bits are set in this revision, in order, and greater than `after`."""
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


def set_clear_at(connection: Connection, *, revision: int, clear_at: int) -> bool:
    """Record, for indexes in a published list, that their tokens are all invalid after `clear_at` (Unix seconds).

    True: there may be more of them.
    """
    listed = select(revoked_indexes.c.status_index).where(
        revoked_indexes.c.revision <= revision, revoked_indexes.c.clear_at.is_(None)
    )
    noted = connection.execute(
        update(revoked_indexes)
        .where(revoked_indexes.c.status_index.in_(listed.limit(_MAX_CHANGED)))
        .values(clear_at=clear_at)
    )
    return noted.rowcount == _MAX_CHANGED


def free_indexes(connection: Connection, *, cleared_before: int) -> None:
    """Free some of the indexes whose bits were cleared so long ago that no valid list contains them."""
    # Under the lock of `reserve_block`, or this could free an index that another process has freed and given away.
    advisory_lock(connection, Lock.STATUS_BLOCKS)
    old = select(revoked_indexes.c.status_index).where(revoked_indexes.c.clear_at <= cleared_before)
    gone = list(connection.execute(old.order_by(revoked_indexes.c.clear_at).limit(_MAX_FREED)).scalars())
    if gone:
        mine = token_families.c.status_index.in_(gone)
        connection.execute(update(token_families).where(mine).values(status_index=None))
        connection.execute(delete(revoked_indexes).where(revoked_indexes.c.status_index.in_(gone)))
