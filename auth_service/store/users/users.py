"""Users. `sub` is random and contains no personal data."""

import secrets
import unicodedata
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from auth_service.settings.declarations import MAX_EMAIL_CHARACTERS
from auth_service.store.audit import audit_trail
from auth_service.store.logout import logout_deliveries
from auth_service.store.schema.tables import login_sessions, users
from auth_service.store.tokens import revocations
from auth_service.vocabulary.password_costs import PasswordCost, cost_of
from tallystick_service.urls import unicode_host

_FIND_CREDENTIALS = select(users.c.sub, users.c.password_hash, users.c.password_generation).where(
    users.c.email_key == bindparam("email_key"), users.c.disabled_at.is_(None)
)

# Finds each distinct value of an indexed column from the one before it. DISTINCT would read the whole index.
_COSTS = select(func.min(users.c.password_cost).label("cost")).cte("costs", recursive=True)
_NEXT_COST = select(func.min(users.c.password_cost)).where(users.c.password_cost > _COSTS.c.cost).scalar_subquery()
_COSTS = _COSTS.union_all(select(_NEXT_COST).where(_COSTS.c.cost.is_not(None)))
_PASSWORD_COSTS = select(_COSTS.c.cost).where(_COSTS.c.cost.is_not(None))


@dataclass(frozen=True)
class User:
    sub: str
    email: str
    claims: dict[str, Any]
    roles: list[str]
    updated_at: int


@dataclass(frozen=True)
class Credentials:
    """The stored credentials of a user. `password_hash` is None if the user has no password.

    `password_generation` rises with every change of the password.
    """

    sub: str
    password_hash: str | None
    password_generation: int


class EmailTaken(Exception):
    """Another user has this email."""


def email_key(email: str) -> str:
    """The form of an email address that is stored for lookups, the same for all its spellings.

    It is in NFC and case-folded, with the labels of the domain in Unicode instead of their xn-- form. Raises ValueError
    for more than MAX_EMAIL_CHARACTERS.
    """
    if len(email) > MAX_EMAIL_CHARACTERS:
        raise ValueError(f"an email address has at most {MAX_EMAIL_CHARACTERS} characters")
    local, at, domain = email.rpartition("@")
    if "xn--" in domain.lower():
        email = f"{local}{at}{unicode_host(domain)}"
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).casefold())


def add_user(
    connection: Connection,
    *,
    email: str,
    password_hash: str | None,
    claims: dict[str, Any],
    roles: list[str],
    origin: str,
    now: int,
) -> str:
    """Add a user and return the new `sub`. Raises EmailTaken."""
    sub = secrets.token_urlsafe(16)
    try:
        with connection.begin_nested():
            connection.execute(
                insert(users).values(
                    sub=sub,
                    email=email,
                    email_key=email_key(email),
                    **password_values(password_hash),
                    claims=claims,
                    roles=roles,
                    origin=origin,
                    created_at=now,
                    updated_at=now,
                )
            )
    except IntegrityError:
        raise EmailTaken from None
    audit_trail.record(connection, "user_added", now=now, sub=sub, by=origin)
    return sub


def password_values(password_hash: str | None) -> dict[str, str | None]:
    cost = None if password_hash is None else cost_of(password_hash)
    return {"password_hash": password_hash, "password_cost": None if cost is None else str(cost)}


def password_costs(connection: Connection) -> tuple[PasswordCost, ...]:
    """The distinct password costs of all users."""
    return tuple(map(PasswordCost.parse, connection.execute(_PASSWORD_COSTS).scalars()))


def find_credentials(connection: Connection, email_key: str) -> Credentials | None:
    """The credentials of an enabled user."""
    row = connection.execute(_FIND_CREDENTIALS, {"email_key": email_key}).one_or_none()
    return None if row is None else Credentials(row.sub, row.password_hash, row.password_generation)


def find_user(connection: Connection, sub: str) -> User | None:
    """The user, or None if there is no such user or the user is disabled."""
    row = connection.execute(select(users).where(users.c.sub == sub, users.c.disabled_at.is_(None))).one_or_none()
    return None if row is None else User(row.sub, row.email, row.claims, row.roles, row.updated_at)


def find_sub(connection: Connection, email: str) -> str | None:
    """The `sub` of the user with this email, disabled or not."""
    if len(email) > MAX_EMAIL_CHARACTERS:
        return None
    return connection.execute(select(users.c.sub).where(users.c.email_key == email_key(email))).scalar_one_or_none()


def upgrade_password_hash(connection: Connection, sub: str, *, old: str, new: str) -> None:
    """Replace `old` by a better hash of the same password, unless the password was changed meanwhile."""
    is_current = (users.c.sub == sub, users.c.password_hash == old)
    connection.execute(update(users).where(*is_current).values(**password_values(new)))


def set_password_hash(connection: Connection, sub: str, password_hash: str, *, now: int) -> None:
    """Set a new password, sign the user out everywhere, and invalidate all device cookies."""
    connection.execute(
        update(users)
        .where(users.c.sub == sub)
        .values(**password_values(password_hash), password_generation=users.c.password_generation + 1)
    )
    _end_all_sessions(connection, sub, now=now)
    audit_trail.record(connection, "password_set", now=now, sub=sub)


def sign_out_user(connection: Connection, sub: str, *, now: int) -> None:
    """End all login sessions and revoke all token families of a user, also those with offline_access.

    Logout tokens for the sessions' clients are enqueued.
    """
    _end_all_sessions(connection, sub, now=now)
    audit_trail.record(connection, "user_signed_out", now=now, sub=sub)


def _end_all_sessions(connection: Connection, sub: str, *, now: int) -> None:
    # The user's row is locked first. A concurrent login or redemption commits before this, or sees its outcome.
    connection.execute(select(users.c.sub).where(users.c.sub == sub).with_for_update())
    ended = connection.execute(
        update(login_sessions)
        .where(login_sessions.c.sub == sub, login_sessions.c.ended_at.is_(None))
        .values(ended_at=now)
        .returning(login_sessions.c.sid)
    ).scalars()
    logout_deliveries.enqueue_deliveries(
        connection, list(ended), now=now
    )  # first: it waits for a concurrent deletion of a client
    revocations.revoke_families_of_user(connection, sub, now=now)


def disable_user(connection: Connection, sub: str, *, by: str, now: int) -> None:
    """Disable a user and sign them out everywhere. `by` also replaces the name of an earlier disabling."""
    connection.execute(update(users).where(users.c.sub == sub).values(disabled_at=now, disabled_by=by))
    _end_all_sessions(connection, sub, now=now)
    audit_trail.record(connection, "user_disabled", now=now, sub=sub, by=by)


def enable_user(connection: Connection, sub: str, *, by: str, now: int) -> None:
    """Let a disabled user sign in again."""
    connection.execute(update(users).where(users.c.sub == sub).values(disabled_at=None, disabled_by=None))
    audit_trail.record(connection, "user_enabled", now=now, sub=sub, by=by)
