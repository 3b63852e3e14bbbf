"""The audit trail: what matters to those who run the service, written in the unit of work that does it.

So neither is there without the other. What is busiest and says nothing, a token issued or refreshed, is not written.
No secret is, either: no code, token, password or cookie, nor what somebody typed where an email address belongs.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
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
"""What else is to be said; a value of None is left out. Names of things, and never what is secret."""

RETENTION = "audit_retention"
"""The option of the store (`Store.open`) that holds the seconds for which a row is kept; 0 writes none."""

DEFAULT_RETENTION = 7_776_000

actor: ContextVar[str] = ContextVar("actor", default="service")
"""Who does what no request asked for: `service` itself, or a `command`."""

_CHARACTERS = 200
"""Of one value. What is longer was not meant to be read."""
_VALUES = 50
"""Of one list."""
_ADDRESS = 45
"""Characters of the longest IPv6 address."""

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
    """Write down what this unit has done. `by` is who did it, where that is neither the request nor the `actor`.

    It may stand anywhere in a unit, prune and all: nothing refers to these rows, and of the old ones each is locked
    only by whoever deletes it, so nobody ever waits for one.
    """
    retention: int = connection.get_execution_options().get(RETENTION, DEFAULT_RETENTION)
    if retention:
        asked = request_id.get()
        who = by or (None if asked else actor.get())
        said = {name: _bounded(value) for name, value in {"by": who, **(detail or {})}.items() if value is not None}
        connection.execute(
            _INSERT,
            {
                "at": now,
                "event": event,
                "sub": sub,
                "client_id": client_id,
                "sid": sid,
                "request_id": asked or None,
                "address": address[:_ADDRESS] if address else None,
                "detail": said,
            },
        )
    prune(connection, audit.c.at, now=now - retention)


def _bounded(value: str | int | bool | Sequence[str]) -> str | int | bool | list[str]:
    if isinstance(value, str):
        return value[:_CHARACTERS]
    if isinstance(value, int):
        return value
    return [item[:_CHARACTERS] for item in value[:_VALUES]]
