"""The writes of a login attempt: before the password is checked, when it was wrong, and when it was right."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from auth_service.store.audit import audit_limits, audit_trail
from auth_service.store.audit.audit_trail import Event
from auth_service.store.limits import login_limits, rate_limits
from auth_service.store.limits.login_limits import LoginLimits
from auth_service.store.limits.rate_limits import Bucket
from auth_service.store.schema.tables import users as users_table
from auth_service.store.users import login_sessions, users
from auth_service.store.users.login_sessions import Lifetime
from auth_service.store.users.users import Credentials
from auth_service.vocabulary.password_costs import PasswordCost

# FOR UPDATE, so that a new password, which signs out everywhere, cannot slip in between the check and the session.
_CURRENT_HASH = select(users_table.c.password_hash).where(users_table.c.sub == bindparam("sub")).with_for_update()


_SUB = select(users_table.c.sub).where(users_table.c.email_key == bindparam("email_key"))


@dataclass(frozen=True)
class Failure:
    """What the audit trail gets of a failed attempt; and `noted` and `slowed`, the buckets that bound how often.

    `email_key` is None for text that no database can hold. It is looked up and not stored: of an unknown user nothing
    is, because some people type their password where the email address belongs.
    """

    email_key: str | None
    address: str
    noted: Bucket
    slowed: Bucket


@dataclass(frozen=True)
class Admission:
    """With `wait_ms` > 0 the attempt is refused until then. Otherwise it was counted in the buckets `charged`.

    `credentials` are those of an enabled user with that email. `costs` are those of all users' passwords.
    """

    wait_ms: int
    charged: tuple[Bucket, ...] = ()
    credentials: Credentials | None = None
    costs: tuple[PasswordCost, ...] = ()


def admit_attempt(connection: Connection, limits: LoginLimits, failure: Failure, *, now_ms: int) -> Admission:
    """Look up the account and count the attempt.

    Counted before the password is checked, so that a thousand attempts at the same instant are a thousand.
    """
    key = failure.email_key
    credentials = None if key is None else users.find_credentials(connection, key)
    generation = credentials.password_generation if credentials else None
    charge = login_limits.charge(connection, limits, generation=generation, now_ms=now_ms)
    if charge.wait_ms and rate_limits.charge(connection, [failure.slowed], now_ms=now_ms) == 0:
        _note(connection, "login_slowed", failure, now_ms=now_ms)
    else:
        rate_limits.prune_empty(connection, now_ms=now_ms)
    if charge.wait_ms:
        return Admission(charge.wait_ms)
    return Admission(0, charge.buckets, credentials, users.password_costs(connection))


def record_failed_login(connection: Connection, failure: Failure, *, now_ms: int) -> None:
    """The password was wrong, or there is no such user, or a disabled one; all three look alike from outside."""
    _note(connection, "login_failed", failure, now_ms=now_ms)


def succeed(
    connection: Connection,
    credentials: Credentials,
    *,
    better_hash: str | None,
    charged: Sequence[Bucket],
    cookie_hash: bytes,
    sid: str,
    acr: str,
    replaces: bytes | None,
    address: str,
    now: int,
    lifetime: Lifetime,
) -> bool:
    """Begin the login session, refund the buckets that were `charged`, and store `better_hash` if there is one.

    `credentials` are those the password was checked against. False: the user has others by now; nothing was done.
    """
    if connection.execute(_CURRENT_HASH, {"sub": credentials.sub}).scalar_one_or_none() != credentials.password_hash:
        return False
    begun = login_sessions.begin_login_session(
        connection, cookie_hash, sid=sid, sub=credentials.sub, acr=acr, replaces=replaces, now=now, lifetime=lifetime
    )
    if begun is None:
        return False
    rate_limits.refund(connection, charged)
    if better_hash is not None and credentials.password_hash is not None:
        users.upgrade_password_hash(connection, credentials.sub, old=credentials.password_hash, new=better_hash)
    audit_trail.record(connection, "login", now=now, sub=credentials.sub, sid=begun, address=address)
    return True


def _note(connection: Connection, event: Event, failure: Failure, *, now_ms: int) -> None:
    sub = None
    if failure.email_key is not None:
        sub = connection.execute(_SUB, {"email_key": failure.email_key}).scalar_one_or_none()
    audit_limits.record(connection, event, failure.noted, now_ms=now_ms, sub=sub, address=failure.address)
