"""The audit trail: security events for the operator, each recorded by the unit of work that causes it.

An event and its row are committed together. Issued and refreshed tokens are not recorded, because they are frequent and
tell nothing. No row has a secret: no code, token, password or cookie, and no text that was typed as an email address of
an unknown user.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, get_args

from sqlalchemy import Connection, insert

from auth_service.store.schema.tables import audit
from tallystick.request_id import request_id
from tallystick_service.store import prune

Event = Literal[
    "login",
    "login_failed",
    "login_slowed",
    "logout",
    "consent_granted",
    "consent_withdrawn",
    "code_replayed",
    "refresh_token_replayed",
    "refresh_token_repeated",
    "tokens_revoked",
    "user_added",
    "user_changed",
    "user_disabled",
    "user_enabled",
    "user_signed_out",
    "password_set",
    "client_added",
    "client_changed",
    "client_disabled",
    "client_enabled",
    "client_deleted",
    "client_authentication_failed",
    "api_added",
    "api_changed",
    "api_disabled",
    "api_enabled",
    "key_published",
    "key_withdrawn",
    "keys_resealed",
    "secrets_rotated",
    "registration_refused",
    "left_out",
]
EVENTS: tuple[Event, ...] = get_args(Event)

Detail = Mapping[str, str | int | bool | Sequence[str] | None]
"""Further facts, never secret. A value of None is left out."""

RETENTION = "audit_retention"
"""The option of `Store.open` with the seconds for which a row is kept. With 0 no row is written."""

DEFAULT_RETENTION = 7_776_000

actor: ContextVar[str] = ContextVar("actor", default="service")
"""The cause of an event outside a request: the `service` itself, or a `command`."""

_MAX_CHARACTERS = 200
"""Of one value."""
_MAX_ITEMS = 50
"""Of one list."""
_MAX_ADDRESS_CHARACTERS = 45
"""The length of the longest IPv6 address."""

_INSERT = insert(audit).inline()


def record(
    connection: Connection,
    event: Event,
    *,
    now: int,
    sub: str | None = None,
    client_id: str | None = None,
    sid: str | None = None,
    address: str | None = None,
    by: str | None = None,
    detail: Detail | None = None,
) -> None:
    """Record an event of this unit of work. `by` overrides the `actor` for an event that no request caused.

    A unit may call this at any point without a risk of deadlock. Nothing refers to these rows, and pruning skips
    rows that another unit has locked.
    """
    facts = [Facts(sub, client_id, sid, address, detail or {})]
    record_all(connection, event, facts, now=now, by=by)


@dataclass(frozen=True)
class Facts:
    """The facts of one event."""

    sub: str | None = None
    client_id: str | None = None
    sid: str | None = None
    address: str | None = None
    detail: Detail = field(default_factory=dict)


def record_all(
    connection: Connection, event: Event, occurrences: Sequence[Facts], *, now: int, by: str | None = None
) -> None:
    """Record an event that this unit caused several times."""
    retention: int = connection.get_execution_options().get(RETENTION, DEFAULT_RETENTION)
    if retention and occurrences:
        request = request_id.get()
        by = by or (None if request else actor.get())
        connection.execute(
            _INSERT,
            [
                {
                    "at": now,
                    "event": event,
                    "sub": each.sub,
                    "client_id": each.client_id,
                    "sid": each.sid,
                    "request_id": request or None,
                    "address": each.address[:_MAX_ADDRESS_CHARACTERS] if each.address else None,
                    "detail": {
                        name: _bounded(value) for name, value in {"by": by, **each.detail}.items() if value is not None
                    },
                }
                for each in occurrences
            ],
        )
    prune(connection, audit.c.at, now=now - retention)


def _bounded(value: str | int | bool | Sequence[str]) -> str | int | bool | list[str]:
    if isinstance(value, str):
        return value[:_MAX_CHARACTERS]
    if isinstance(value, int):
        return value
    return [item[:_MAX_CHARACTERS] for item in value[:_MAX_ITEMS]]
