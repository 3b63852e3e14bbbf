"""What a password that is tried changes: before it is looked at, when it was wrong, and when it was right."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from auth_service.store import audit, audit_limits, guesses, login_sessions, users
from auth_service.store.audit import Event
from auth_service.store.guesses import Bucket
from auth_service.store.login_sessions import Lifetime
from auth_service.store.tables import users as users_table
from auth_service.store.users import Credentials

# FOR UPDATE, so that a new password, which signs out everywhere, cannot slip in between the check and the session.
_CURRENT_HASH = select(users_table.c.password_hash).where(users_table.c.sub == bindparam("sub")).with_for_update()


_SUB = select(users_table.c.sub).where(users_table.c.email_key == bindparam("email_key"))


@dataclass(frozen=True)
class Failure:
    """What is written down of an attempt that failed; and `noted` and `slowed`, the buckets that bound how often.

    `email_key` is None for one that no database keeps. It is looked up and not kept: of a user who does not exist
    nothing is, because some type their password where the email address belongs.
    """

    email_key: str | None
    address: str
    noted: Bucket
    slowed: Bucket


def begin(connection: Connection, buckets: list[Bucket], failure: Failure, *, now_ms: int) -> int:
    """Count an attempt in the buckets and return 0, or count nothing and return the milliseconds until there is room.

    Counted before the password is looked at, so that a thousand tries at the same instant are a thousand.
    """
    wait = guesses.count(connection, buckets, now_ms=now_ms)
    if wait and guesses.count(connection, [failure.slowed], now_ms=now_ms) == 0:
        _note(connection, "login_slowed", failure, now_ms=now_ms)
    else:
        guesses.forget_empty(connection, now_ms=now_ms)
    return wait


def fail(connection: Connection, failure: Failure, *, now_ms: int) -> None:
    """The password was wrong, or there is no such user, or a disabled one; all three look alike from outside."""
    _note(connection, "login_failed", failure, now_ms=now_ms)


def succeed(
    connection: Connection,
    credentials: Credentials,
    *,
    better_hash: str | None,
    buckets: list[Bucket],
    cookie_hash: bytes,
    sid: str,
    acr: str,
    replaces: bytes | None,
    address: str,
    now: int,
    lifetime: Lifetime,
) -> bool:
    """Begin the login session, take the guess back, and put `better_hash`, if there is one, in place of the old.

    `credentials` are those the password was checked against. False: they are the user's no longer; nothing was done.
    """
    if connection.execute(_CURRENT_HASH, {"sub": credentials.sub}).scalar_one_or_none() != credentials.password_hash:
        return False
    begun = login_sessions.begin(
        connection, cookie_hash, sid=sid, sub=credentials.sub, acr=acr, replaces=replaces, now=now, lifetime=lifetime
    )
    if begun is None:
        return False
    guesses.refund(connection, buckets)
    if better_hash is not None and credentials.password_hash is not None:
        users.upgrade_password_hash(connection, credentials.sub, old=credentials.password_hash, new=better_hash)
    audit.record(connection, "login", now=now, sub=credentials.sub, sid=begun, address=address)
    return True


def _note(connection: Connection, event: Event, failure: Failure, *, now_ms: int) -> None:
    sub = None
    if failure.email_key is not None:
        sub = connection.execute(_SUB, {"email_key": failure.email_key}).scalar_one_or_none()
    audit_limits.record(connection, event, failure.noted, now_ms=now_ms, sub=sub, address=failure.address)
