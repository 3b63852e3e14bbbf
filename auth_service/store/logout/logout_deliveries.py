"""Whom to tell that a login session has ended, and the logout tokens on their way (Back-Channel Logout 1.0).

A row is a token still to be delivered, not the token: that is signed anew at each attempt. It goes when the client has
taken it, or at `give_up_at`.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, func, insert, select, update

from auth_service.store.schema.tables import clients, login_session_clients, login_sessions, logout_deliveries
from tallystick_service.store import insert_on_conflict

GIVE_UP_AFTER = 86_400
"""Seconds from the end of the login session."""

LEASE = 30
"""Seconds that a delivery belongs to the process that took it: far more than an attempt lasts, so that nobody else
begins one meanwhile; what a process left behind that was killed is tried again after them."""

BACKOFF = (1, 5, 30, 120, 600, 3600)
"""Seconds after the first failed attempt, the second, …; the last for all that follow."""

MOST_COUNTED = 10_001
"""Deliveries that are counted at most, and stand for more: somebody looks every second, and a count goes through all
it counts."""

_MANY = 500
"""Rows or names in one statement."""

_ROW = logout_deliveries.c

_REMEMBER = insert_on_conflict(login_session_clients, lambda insert: insert.on_conflict_do_nothing())


@dataclass(frozen=True)
class Delivery:
    """One client to be told of one login session's end. `attempts` counts the one it was taken for."""

    delivery_id: bytes
    client_id: str
    sub: str
    sid: str
    attempts: int
    give_up_at: int


@dataclass(frozen=True)
class DueClient:
    """A client with deliveries that are due, the oldest since `due_since`."""

    client_id: str
    origin: str
    due_since: int


@dataclass(frozen=True)
class Waiting:
    """What there is to do. `clients` are all that have deliveries, due or not; `some_are_too_old` is for `give_up`.

    `deliveries` is how many there are, counted no further than MOST_COUNTED.
    """

    clients: frozenset[str]
    due: list[DueClient]
    some_are_too_old: bool
    deliveries: int


def remember_client(connection: Connection, sid: str, client_id: str) -> None:
    """This client is to be told when the login session ends. The caller holds both rows (`lock_active_owners`)."""
    connection.execute(_REMEMBER[connection.dialect.name], {"sid": sid, "client_id": client_id})


def enqueue(connection: Connection, sids: Sequence[str], *, now: int) -> None:
    """These login sessions have been ended by this unit: tell each of their clients that is not disabled."""
    for first in range(0, len(sids), _MANY):
        # Held until the commit: a client that is deleted beside this is gone now, or takes these rows along.
        rows = connection.execute(
            select(login_session_clients.c.sid, login_session_clients.c.client_id, login_sessions.c.sub)
            .join(login_sessions, login_sessions.c.sid == login_session_clients.c.sid)
            .join(clients, clients.c.client_id == login_session_clients.c.client_id)
            .where(login_session_clients.c.sid.in_(sids[first : first + _MANY]), clients.c.disabled_at.is_(None))
            .order_by(login_session_clients.c.client_id)
            .with_for_update(read=True, key_share=True, of=clients)
        ).all()
        if rows:
            connection.execute(
                insert(logout_deliveries),
                [
                    {
                        "delivery_id": secrets.token_bytes(16),
                        "client_id": row.client_id,
                        "sub": row.sub,
                        "sid": row.sid,
                        "ended_at": now,
                        "attempts": 0,
                        "attempt_at": now,
                        "give_up_at": now + GIVE_UP_AFTER,
                    }
                    for row in rows
                ],
            )


def _waiting_clients() -> Any:
    """From one client to the next by the index, however many deliveries each of them has."""
    first = select(func.min(_ROW.client_id).label("client_id")).cte("waiting", recursive=True)
    following = select(func.min(_ROW.client_id)).where(_ROW.client_id > first.c.client_id).scalar_subquery()
    waiting = first.union_all(select(following).where(first.c.client_id.is_not(None)))
    due_since = select(func.min(_ROW.attempt_at)).where(_ROW.client_id == waiting.c.client_id).scalar_subquery()
    return select(waiting.c.client_id, clients.c.origin, due_since.label("due_since")).join(
        clients, clients.c.client_id == waiting.c.client_id
    )


_WAITING = _waiting_clients()
_COUNT = select(func.count()).select_from(select(_ROW.delivery_id).limit(MOST_COUNTED).subquery())
_TOO_OLD = select(exists().where(_ROW.give_up_at <= bindparam("now")))


def look(connection: Connection, *, now: int) -> Waiting:
    """What there is to do, as cheap as that is little."""
    rows = connection.execute(_WAITING).all()
    return Waiting(
        clients=frozenset(row.client_id for row in rows),
        due=[DueClient(row.client_id, row.origin, row.due_since) for row in rows if row.due_since <= now],
        some_are_too_old=bool(rows) and bool(connection.execute(_TOO_OLD, {"now": now}).scalar_one()),
        deliveries=connection.execute(_COUNT).scalar_one() if rows else 0,
    )


def _some(*conditions: ColumnElement[bool], first: Any) -> Any:
    """At most `at_most` of them; what another process is at is passed over."""
    chosen = (
        select(_ROW.delivery_id)
        .where(*conditions)
        .order_by(first)
        .limit(bindparam("at_most"))
        .with_for_update(skip_locked=True)
        .cte("chosen", nesting=True)  # PostgreSQL may run a plain subquery several times, and so beyond the limit
    )
    return _ROW.delivery_id.in_(select(chosen.c.delivery_id))


_TAKE = (
    update(logout_deliveries)
    .where(
        _some(
            _ROW.client_id == bindparam("the_client"),
            _ROW.attempt_at <= bindparam("now"),
            _ROW.give_up_at > bindparam("now"),
            first=_ROW.attempt_at,
        )
    )
    .values(attempts=_ROW.attempts + 1, attempt_at=bindparam("leased_until"))
    .returning(_ROW.delivery_id, _ROW.client_id, _ROW.sub, _ROW.sid, _ROW.attempts, _ROW.give_up_at)
)
_GIVE_UP = (
    delete(logout_deliveries)
    .where(_some(_ROW.give_up_at <= bindparam("now"), first=_ROW.give_up_at))
    .returning(_ROW.client_id)
)
# Unless the lease ran out and somebody else is at it.
_PUT_BACK = (
    update(logout_deliveries)
    .where(_ROW.delivery_id == bindparam("the_delivery"), _ROW.attempts == bindparam("after"))
    .values(attempt_at=bindparam("next_at"))
)


def take_due(connection: Connection, how_many: Mapping[str, int], *, now: int) -> list[Delivery]:
    """At most so many deliveries of each client, for one attempt each. They are nobody else's for LEASE seconds."""
    taken = []
    for client_id in sorted(how_many):
        given = {"the_client": client_id, "at_most": how_many[client_id], "now": now, "leased_until": now + LEASE}
        taken += [
            Delivery(bytes(row.delivery_id), row.client_id, row.sub, row.sid, row.attempts, row.give_up_at)
            for row in connection.execute(_TAKE, given)
        ]
    return taken


def done(connection: Connection, delivery_id: bytes) -> None:
    """The client has taken the token, or refused it for good."""
    connection.execute(delete(logout_deliveries).where(_ROW.delivery_id == delivery_id))


def postpone(connection: Connection, delivery: Delivery, *, now: int) -> None:
    """The attempt has failed; the next one comes after the backoff, unless it would come too late."""
    next_at = now + BACKOFF[min(delivery.attempts, len(BACKOFF)) - 1]
    _put_back(connection, delivery, min(next_at, delivery.give_up_at))


def release(connection: Connection, deliveries: Sequence[Delivery], *, now: int) -> None:
    """The attempts were broken off: whoever looks next may try."""
    for delivery in deliveries:
        _put_back(connection, delivery, now)


def drop(connection: Connection, client_id: str) -> None:
    """Tell this client nothing of what has ended so far."""
    connection.execute(delete(logout_deliveries).where(_ROW.client_id == client_id))


def give_up(connection: Connection, *, now: int) -> list[str]:
    """Remove some of the deliveries that came to nothing in a day; the clients they were for."""
    return list(connection.execute(_GIVE_UP, {"now": now, "at_most": _MANY}).scalars())


def _put_back(connection: Connection, delivery: Delivery, next_at: int) -> None:
    connection.execute(
        _PUT_BACK, {"the_delivery": delivery.delivery_id, "after": delivery.attempts, "next_at": next_at}
    )
