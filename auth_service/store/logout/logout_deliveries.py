"""The clients to notify when a login session ends, and the deliveries of logout tokens (Back-Channel Logout 1.0).

A row of `logout_deliveries` is one notification. It does not hold the token, which is signed again for each attempt. It
is removed when the client has accepted or refused the token, or at `give_up_at`.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, func, insert, select, update

from auth_service.store.schema.tables import clients, login_session_clients, login_sessions, logout_deliveries
from auth_service.vocabulary.timing import LOGOUT_DELIVERY_LEASE
from tallystick_service.store import insert_on_conflict

GIVE_UP_AFTER = 86_400
"""Seconds from the end of the login session."""

BACKOFF = (1, 5, 30, 120, 600, 3600)
"""Seconds to wait after the first failed attempt, the second, and so on; the last value for all later ones."""

MAX_COUNTED = 10_001
"""Deliveries that are counted at most; it means this many or more. Every process counts once a second, and a count
reads every row that it counts."""

_MAX_ROWS = 500
"""Rows or names in one statement."""

_ROW = logout_deliveries.c

_REMEMBER = insert_on_conflict(login_session_clients, lambda insert: insert.on_conflict_do_nothing())


@dataclass(frozen=True)
class Delivery:
    """The notification of one client about one login session. `attempts` includes the one it was taken for."""

    delivery_id: bytes
    client_id: str
    sub: str
    sid: str
    attempts: int
    give_up_at: int


@dataclass(frozen=True)
class DueClient:
    """A client with deliveries that are due, the oldest one since `due_since`. `origin` is how it was registered."""

    client_id: str
    origin: str
    due_since: int


@dataclass(frozen=True)
class Queue:
    """The deliveries as a whole. `clients` are those with deliveries, due or not.

    `has_expired`: `give_up_deliveries` has some to remove. `deliveries` is their number, counted up to MAX_COUNTED.
    """

    clients: frozenset[str]
    due: list[DueClient]
    has_expired: bool
    deliveries: int


def remember_client(connection: Connection, sid: str, client_id: str) -> None:
    """Notify this client when the login session ends. The caller has locked both rows (`lock_active_owners`)."""
    connection.execute(_REMEMBER[connection.dialect.name], {"sid": sid, "client_id": client_id})


def enqueue_deliveries(connection: Connection, sids: Sequence[str], *, now: int) -> None:
    """Enqueue a delivery to each active client of these login sessions, which this unit has ended."""
    for first in range(0, len(sids), _MAX_ROWS):
        # The clients are locked until the commit, so that a concurrent deletion of one either precedes this or deletes
        # these rows, too.
        rows = connection.execute(
            select(login_session_clients.c.sid, login_session_clients.c.client_id, login_sessions.c.sub)
            .join(login_sessions, login_sessions.c.sid == login_session_clients.c.sid)
            .join(clients, clients.c.client_id == login_session_clients.c.client_id)
            .where(login_session_clients.c.sid.in_(sids[first : first + _MAX_ROWS]), clients.c.disabled_at.is_(None))
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


def _queued_clients() -> Any:
    """Each client with deliveries once, found by jumping from client to client in the index (a loose index scan)."""
    first = select(func.min(_ROW.client_id).label("client_id")).cte("waiting", recursive=True)
    following = select(func.min(_ROW.client_id)).where(_ROW.client_id > first.c.client_id).scalar_subquery()
    waiting = first.union_all(select(following).where(first.c.client_id.is_not(None)))
    due_since = select(func.min(_ROW.attempt_at)).where(_ROW.client_id == waiting.c.client_id).scalar_subquery()
    return select(waiting.c.client_id, clients.c.origin, due_since.label("due_since")).join(
        clients, clients.c.client_id == waiting.c.client_id
    )


_QUEUE = _queued_clients()
_COUNT = select(func.count()).select_from(select(_ROW.delivery_id).limit(MAX_COUNTED).subquery())
_HAS_EXPIRED = select(exists().where(_ROW.give_up_at <= bindparam("now")))


def read_queue(connection: Connection, *, now: int) -> Queue:
    """Costs in proportion to the clients with deliveries, not to the deliveries; an empty queue costs one statement."""
    rows = connection.execute(_QUEUE).all()
    return Queue(
        clients=frozenset(row.client_id for row in rows),
        due=[DueClient(row.client_id, row.origin, row.due_since) for row in rows if row.due_since <= now],
        has_expired=bool(rows) and bool(connection.execute(_HAS_EXPIRED, {"now": now}).scalar_one()),
        deliveries=connection.execute(_COUNT).scalar_one() if rows else 0,
    )


def _some(*conditions: ColumnElement[bool], first: Any) -> Any:
    """At most `at_most` of the matching rows, without those that another process has locked."""
    chosen = (
        select(_ROW.delivery_id)
        .where(*conditions)
        .order_by(first)
        .limit(bindparam("at_most"))
        .with_for_update(skip_locked=True)
        .cte("chosen", nesting=True)  # PostgreSQL may run a plain subquery several times and exceed the limit
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
# Changes nothing when the lease has run out and another process has taken the delivery.
_RESCHEDULE = (
    update(logout_deliveries)
    .where(_ROW.delivery_id == bindparam("the_delivery"), _ROW.attempts == bindparam("after"))
    .values(attempt_at=bindparam("next_at"))
)


def take_due_deliveries(connection: Connection, how_many: Mapping[str, int], *, now: int) -> list[Delivery]:
    """Take at most `how_many` deliveries of each client, for one attempt each.

    They belong to this process for LOGOUT_DELIVERY_LEASE seconds.
    """
    taken = []
    for client_id in sorted(how_many):
        given = {
            "the_client": client_id,
            "at_most": how_many[client_id],
            "now": now,
            "leased_until": now + LOGOUT_DELIVERY_LEASE,
        }
        taken += [
            Delivery(bytes(row.delivery_id), row.client_id, row.sub, row.sid, row.attempts, row.give_up_at)
            for row in connection.execute(_TAKE, given)
        ]
    return taken


def remove_delivery(connection: Connection, delivery_id: bytes) -> None:
    """The client has accepted the token, or refused it for good."""
    connection.execute(delete(logout_deliveries).where(_ROW.delivery_id == delivery_id))


def postpone_delivery(connection: Connection, delivery: Delivery, *, now: int) -> None:
    """The attempt has failed. The next one is due after the backoff, but not later than `give_up_at`."""
    next_at = now + BACKOFF[min(delivery.attempts, len(BACKOFF)) - 1]
    _reschedule(connection, delivery, min(next_at, delivery.give_up_at))


def release_deliveries(connection: Connection, deliveries: Sequence[Delivery], *, now: int) -> None:
    """The attempts were cancelled: the deliveries are due now, for any process."""
    for delivery in deliveries:
        _reschedule(connection, delivery, now)


def drop_deliveries(connection: Connection, client_id: str) -> None:
    """Remove all deliveries to this client."""
    connection.execute(delete(logout_deliveries).where(_ROW.client_id == client_id))


def give_up_deliveries(connection: Connection, *, now: int) -> list[str]:
    """Remove some of the deliveries that did not succeed within GIVE_UP_AFTER. Returns the client of each."""
    return list(connection.execute(_GIVE_UP, {"now": now, "at_most": _MAX_ROWS}).scalars())


def _reschedule(connection: Connection, delivery: Delivery, next_at: int) -> None:
    connection.execute(
        _RESCHEDULE, {"the_delivery": delivery.delivery_id, "after": delivery.attempts, "next_at": next_at}
    )
