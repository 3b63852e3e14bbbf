"""The difference between the configuration file and the store, and the unit of work that removes it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column, Connection, insert, select, true, update

from auth_service.store.audit import audit_trail
from auth_service.store.audit.audit_trail import Event
from auth_service.store.clients import clients
from auth_service.store.schema import tables as t
from auth_service.store.schema.locks import Lock
from auth_service.store.users import users
from tallystick_service.store import advisory_lock

ORIGIN = "file"
"""The value of `origin` or `disabled_by` of a row: the configuration file made or disabled it, and may change it."""

Values = Mapping[str, Any]
"""Column values of one row, without its key."""


_API_EVENTS: Mapping[str, Event] = {
    "create": "api_added",
    "update": "api_changed",
    "enable": "api_enabled",
    "disable": "api_disabled",
}


@dataclass(frozen=True)
class Declaration:
    """The declared rows: APIs by audience, clients by client_id, users by `email_key`.

    `origins` are the web origins whose scripts may call /token and /revoke, by client_id.
    """

    apis: Mapping[str, Values]
    clients: Mapping[str, Values]
    users: Mapping[str, Values]
    origins: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Change:
    """`key` is as in Declaration, `name` is for display, `differs` has the names of the fields that are updated."""

    verb: Literal["create", "update", "enable", "disable"]
    kind: Literal["api", "client", "user"]
    key: str
    name: str
    differs: tuple[str, ...] = ()

    def __str__(self) -> str:
        line = f"{self.verb} {self.kind} {self.name}"
        return f"{line}: {', '.join(self.differs)}" if self.differs else line


class Conflict(Exception):
    """A row with the declared name exists, and the file did not make it. `str()` is one line."""


class DisablesMost(Exception):
    """The file would disable more rows than it keeps. `str()` is one line."""


def compare(connection: Connection, declaration: Declaration) -> list[Change]:
    """The changes that make the store match the declaration. Raises Conflict.

    A row that is no longer declared is disabled. Rows that the file did not make are not changed, and
    rows that a command disabled stay disabled.
    """
    user_with_client_id = connection.execute(
        select(t.users.c.sub).where(t.users.c.sub.in_(declaration.clients))
    ).first()
    if user_with_client_id is not None:
        raise Conflict(f"the client_id {user_with_client_id.sub!r} is the sub of a user")
    return [
        *_compare(connection, "api", t.apis.c.audience, declaration.apis),
        *_compare(
            connection,
            "client",
            t.clients.c.client_id,
            declaration.clients,
            _clients_with_other_origins(connection, declaration),
        ),
        *_compare(connection, "user", t.users.c.email_key, declaration.users),
    ]


def check_disabled(connection: Connection, declaration: Declaration) -> None:
    """Raises DisablesMost when the declaration disables more of the enabled rows of the file than it keeps."""
    kept, disabled = 0, {}
    for kind, column, declared, is_declared in (
        ("APIs", t.apis.c.audience, declaration.apis, true()),
        ("clients", t.clients.c.client_id, declaration.clients, t.clients.c.origin == ORIGIN),
        ("users", t.users.c.email_key, declaration.users, t.users.c.origin == ORIGIN),
    ):
        enabled = select(column).where(is_declared, column.table.c.disabled_at.is_(None))
        names = set(connection.execute(enabled).scalars())
        kept += len(names & declared.keys())
        disabled[kind] = len(names - declared.keys())
    if sum(disabled.values()) > kept:
        counts = ", ".join(f"{kind}: {count}" for kind, count in disabled.items() if count)
        raise DisablesMost(
            f"the configuration would disable more than it keeps ({counts}; kept: {kept}). Check the file and its "
            "database_url. If this is meant, use --allow-disable"
        )


def apply(
    connection: Connection,
    declaration: Declaration,
    password_hashes: Mapping[str, str],
    *,
    allow_disable: bool,
    now: int,
) -> list[Change]:
    """Make the store match the declaration, and return the changes.

    `password_hashes`, by `email_key`, are for new users. Of two processes that apply the same file concurrently, the
    second changes nothing. Raises Conflict, and DisablesMost unless `allow_disable`.
    """
    advisory_lock(connection, Lock.APPLY_CONFIGURATION)
    changes = compare(connection, declaration)
    if not allow_disable:
        check_disabled(connection, declaration)
    for change in changes:
        match change.kind:
            case "api":
                _change_api(connection, change, declaration.apis.get(change.key, {}), now=now)
            case "client":
                values, origins = declaration.clients.get(change.key, {}), declaration.origins.get(change.key, ())
                _change_client(connection, change, values, origins, now=now)
            case "user":
                values = declaration.users.get(change.key, {})
                _change_user(connection, change, values, password_hashes.get(change.key), now=now)
    return changes


def _clients_with_other_origins(connection: Connection, declaration: Declaration) -> set[str]:
    """The clients with other stored origins: allowed_origins changed, or an older release stored none."""
    stored: dict[str, set[str]] = {client_id: set() for client_id in declaration.origins}
    for row in connection.execute(select(t.client_origins)):
        stored.setdefault(row.client_id, set()).add(row.origin)
    return {client_id for client_id, origins in declaration.origins.items() if stored[client_id] != origins}


def _compare(
    connection: Connection,
    kind: Literal["api", "client", "user"],
    key: Column[str],
    declared: Mapping[str, Values],
    other_origins: Collection[str] = (),
) -> Iterator[Change]:
    # An API has no columns origin and disabled_by, because only the file makes or disables one.
    defaults = {"origin": ORIGIN, "disabled_by": ORIGIN}
    rows = {row[key]: defaults | dict(row) for row in connection.execute(select(key.table).order_by(key)).mappings()}
    for name, values in declared.items():
        row = rows.get(name)
        shown = values.get("email", name)
        if row is None:
            yield Change("create", kind, name, shown)
            continue
        if row["origin"] != ORIGIN:
            raise Conflict(f"the {kind} {shown!r} exists already, and was not made by the configuration file")
        if differs := tuple(_differing(row, values)) or (("allowed_origins",) if name in other_origins else ()):
            yield Change("update", kind, name, shown, differs)
        if row["disabled_at"] is not None and row["disabled_by"] == ORIGIN:
            yield Change("enable", kind, name, shown)
    for name, row in rows.items():
        if name not in declared and row["origin"] == ORIGIN and row["disabled_at"] is None:
            yield Change("disable", kind, name, row.get("email", name))


def _differing(row: Values, values: Values) -> Iterator[str]:
    """Names of the fields that differ, as in the file."""
    for column, value in values.items():
        stored = row[column]
        if column in ("metadata", "claims"):
            yield from (name for name in sorted(value | stored) if value.get(name) != stored.get(name))
        elif value != stored:
            yield "client_secret" if column == "secret_hash" else column


def _change_api(connection: Connection, change: Change, values: Values, *, now: int) -> None:
    row = t.apis.c.audience == change.key
    match change.verb:
        case "create":
            connection.execute(insert(t.apis).values(audience=change.key, **values))
        case "update":
            connection.execute(update(t.apis).where(row).values(**values))
        case "enable":
            connection.execute(update(t.apis).where(row).values(disabled_at=None))
        case "disable":
            connection.execute(update(t.apis).where(row).values(disabled_at=now))
    detail = {"audience": change.key, "differs": change.differs or None}
    audit_trail.record(connection, _API_EVENTS[change.verb], now=now, by=ORIGIN, detail=detail)


def _change_client(
    connection: Connection, change: Change, values: Values, origins: Collection[str], *, now: int
) -> None:
    match change.verb:
        case "create":
            row = insert(t.clients).values(client_id=change.key, origin=ORIGIN, created_at=now, **values)
            connection.execute(row)
            clients.set_origins(connection, change.key, origins)
            audit_trail.record(connection, "client_added", now=now, client_id=change.key, by=ORIGIN)
        case "update":
            changes_decision = not set(clients.DECISION_FIELDS).isdisjoint(change.differs)
            if changes_decision:
                clients.void_codes(connection, change.key)  # before the client is locked, as a redemption does
            connection.execute(update(t.clients).where(t.clients.c.client_id == change.key).values(**values))
            if changes_decision:
                clients.void_codes(connection, change.key)  # codes that were issued before the lock
            clients.set_origins(connection, change.key, origins)
            differs = {"differs": change.differs}
            audit_trail.record(connection, "client_changed", now=now, client_id=change.key, by=ORIGIN, detail=differs)
        case "enable":
            clients.enable_client(connection, change.key, by=ORIGIN, now=now)
        case "disable":
            clients.disable_client(connection, change.key, by=ORIGIN, now=now)


def _change_user(
    connection: Connection, change: Change, values: Values, password_hash: str | None, *, now: int
) -> None:
    if change.verb == "create":
        try:
            users.add_user(connection, password_hash=password_hash, origin=ORIGIN, now=now, **values)
        except users.EmailTaken:
            raise Conflict(f"the user {change.name!r} exists already") from None
        return
    sub = connection.execute(select(t.users.c.sub).where(t.users.c.email_key == change.key)).scalar_one()
    match change.verb:
        case "update":
            connection.execute(update(t.users).where(t.users.c.sub == sub).values(updated_at=now, **values))
            audit_trail.record(
                connection, "user_changed", now=now, sub=sub, by=ORIGIN, detail={"differs": change.differs}
            )
        case "enable":
            users.enable_user(connection, sub, by=ORIGIN, now=now)
        case "disable":
            users.disable_user(connection, sub, by=ORIGIN, now=now)
