"""The published status list: one row with the signed token, which all processes serve."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, bindparam, case, select, update

from auth_service.store.schema.tables import status_lists
from auth_service.store.status_list import revoked_indexes


@dataclass(frozen=True)
class StoredList:
    """`token` is "" before the first list. `revoked` of its `size` bits are set.

    `revision` is the newest one of the revoked indexes, `listed_revision` the newest one that the list contains.
    """

    size: int
    wanted_size: int
    revision: int
    listed_revision: int
    revoked: int
    lifetime: int
    iat: int
    kid: str
    token: str

    @property
    def is_behind(self) -> bool:
        """Whether the list lacks a revocation."""
        return self.listed_revision < self.revision


@dataclass(frozen=True)
class Changes:
    """The state that each process polls. `stored` is None when the process knows the stored list already.

    `has_unlisted`: there are revoked indexes without a revision.
    """

    iat: int
    has_unlisted: bool
    stored: StoredList | None


def read_changes(connection: Connection, known: StoredList | None) -> Changes:
    """The stored list if it, its wanted size or its revision differ from what the process knows."""
    row = connection.execute(select(status_lists.c.iat, status_lists.c.revision, status_lists.c.wanted_size)).one()
    has_changed = known is None or tuple(row) != (known.iat, known.revision, known.wanted_size)
    return Changes(row.iat, revoked_indexes.has_unlisted(connection), load_list(connection) if has_changed else None)


def load_list(connection: Connection) -> StoredList:
    row = connection.execute(select(status_lists)).one()
    return StoredList(
        row.size,
        row.wanted_size,
        row.revision,
        row.listed_revision,
        row.revoked,
        row.lifetime,
        row.iat,
        row.kid,
        row.token,
    )


def extend_lifetime(connection: Connection, lifetime: int) -> None:
    """Make later lists valid for `lifetime` seconds, if that is longer than before.

    The lifetime never shrinks, because tokens from an earlier configuration keep the lifetime that they were issued
    with.
    """
    connection.execute(update(status_lists).where(status_lists.c.lifetime < lifetime).values(lifetime=lifetime))


def replace_list(connection: Connection, stored: StoredList, *, previous_iat: int, now: int) -> bool:
    """Store the next list in place of the one with `previous_iat`. False when another process has replaced that one."""
    published = connection.execute(
        _PUBLISH,
        {
            "before": previous_iat,
            "the_size": stored.size,
            "the_revision": stored.listed_revision,
            "the_revoked": stored.revoked,
            "the_iat": stored.iat,
            "the_kid": stored.kid,
            "the_token": stored.token,
            "now": now,
        },
    )
    return published.rowcount > 0


_SIZE = bindparam("the_size", type_=BigInteger)
_HAS_GROWN = status_lists.c.size < _SIZE
_PUBLISH = (
    update(status_lists)
    .where(status_lists.c.iat == bindparam("before"))
    .values(
        size=_SIZE,
        size_before=case((_HAS_GROWN, status_lists.c.size), else_=status_lists.c.size_before),
        grown_at=case((_HAS_GROWN, bindparam("now", type_=BigInteger)), else_=status_lists.c.grown_at),
        listed_revision=bindparam("the_revision"),
        revoked=bindparam("the_revoked"),
        iat=bindparam("the_iat"),
        kid=bindparam("the_kid"),
        token=bindparam("the_token"),
    )
)
