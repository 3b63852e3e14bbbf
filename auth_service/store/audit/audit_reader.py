"""The audit trail, read in pages, so that memory does not grow with its length."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, tuple_

from auth_service.store.audit.audit_trail import Event
from auth_service.store.schema.tables import audit, users

Position = tuple[int, int]
"""The `at` and `id` of a row, by which the trail is ordered."""


@dataclass(frozen=True)
class Selection:
    """Which rows to read. None and () select all. `since` and `until` are Unix seconds, `until` is exclusive."""

    since: int | None = None
    until: int | None = None
    events: tuple[Event, ...] = ()
    sub: str | None = None
    client_id: str | None = None


@dataclass(frozen=True)
class Entry:
    """`email` is the user's current one. `detail` has `by`, the cause, where no request caused the event."""

    id: int
    at: int
    event: str
    sub: str | None
    email: str | None
    client_id: str | None
    sid: str | None
    request_id: str | None
    address: str | None
    detail: dict[str, Any]

    @property
    def position(self) -> Position:
        return self.at, self.id


def read_page(connection: Connection, selection: Selection, after: Position | None, *, size: int) -> list[Entry]:
    """The next `size` rows, oldest first."""
    rows = connection.execute(
        select(*audit.c, users.c.email)
        .join_from(audit, users, users.c.sub == audit.c.sub, isouter=True)
        .where(*_conditions(selection))
        .where(*([tuple_(audit.c.at, audit.c.id) > tuple_(*after)] if after else []))
        .order_by(audit.c.at, audit.c.id)
        .limit(size)
    )
    return [Entry(**row) for row in rows.mappings()]


def position_before_last(connection: Connection, selection: Selection, count: int) -> Position | None:
    """The position after which the last `count` rows follow; None when there are not more rows than that."""
    row = connection.execute(
        select(audit.c.at, audit.c.id)
        .where(*_conditions(selection))
        .order_by(audit.c.at.desc(), audit.c.id.desc())
        .offset(count)
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.at, row.id)


def _conditions(selection: Selection) -> list[ColumnElement[bool]]:
    equal = {"sub": selection.sub, "client_id": selection.client_id}
    conditions = [audit.c[name] == value for name, value in equal.items() if value is not None]
    if selection.events:
        conditions.append(audit.c.event.in_(selection.events))
    if selection.since is not None:
        conditions.append(audit.c.at >= selection.since)
    if selection.until is not None:
        conditions.append(audit.c.at < selection.until)
    return conditions
