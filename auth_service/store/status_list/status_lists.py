"""The status list as it is published: one signed token, which all processes serve."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, bindparam, case, select, update

from auth_service.store.schema.tables import status_lists
from auth_service.store.status_list import revoked_indexes


@dataclass(frozen=True)
class StoredList:
    """`token` is "" before the first list; `revoked` of its `size` bits are set. `revision` is that of the revoked
    indexes, `listed_revision` that of those in it."""

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
        """Whether something was revoked that is not in it."""
        return self.listed_revision < self.revision


@dataclass(frozen=True)
class Look:
    """What a process must know several times a second; `stored` is None when it has that list already."""

    iat: int
    some_await_listing: bool
    stored: StoredList | None


def look(connection: Connection, known: StoredList | None) -> Look:
    """The list, if it or what it should have is not as it was known."""
    row = connection.execute(select(status_lists.c.iat, status_lists.c.revision, status_lists.c.wanted_size)).one()
    is_news = known is None or tuple(row) != (known.iat, known.revision, known.wanted_size)
    return Look(row.iat, revoked_indexes.await_listing(connection), load(connection) if is_news else None)


def load(connection: Connection) -> StoredList:
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


def keep_longer(connection: Connection, lifetime: int) -> None:
    """From now on lists are believed for so many seconds, if that is longer than it ever was: tokens that were issued
    under an earlier configuration live as long as they were to."""
    connection.execute(update(status_lists).where(status_lists.c.lifetime < lifetime).values(lifetime=lifetime))


def publish(connection: Connection, stored: StoredList, *, instead_of: int, now: int) -> bool:
    """Serve this list from now on in the place of the one with the `iat` `instead_of`; False when that has gone."""
    published = connection.execute(
        _PUBLISH,
        {
            "before": instead_of,
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
