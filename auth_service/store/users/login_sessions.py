"""Login sessions: the signed-in state of a browser. The browser holds a random cookie, the store its SHA-256."""

from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, insert, select, update

from auth_service.store.audit import audit_trail
from auth_service.store.logout import logout_deliveries
from auth_service.store.schema.tables import login_sessions, users
from auth_service.store.tokens import revocations
from auth_service.vocabulary.acr import PASSWORD
from auth_service.vocabulary.authentication_result import AuthenticationResult
from auth_service.vocabulary.timing import LAST_SEEN_INTERVAL
from tallystick_service.store import lock_parent, prune

_IS_LIVE = (
    login_sessions.c.ended_at.is_(None),
    login_sessions.c.expires_at > bindparam("now"),
    login_sessions.c.last_seen_at > bindparam("seen_since"),
)
_FIND = (
    select(login_sessions, users.c.email, users.c.claims)
    .join(users, users.c.sub == login_sessions.c.sub)
    .where(login_sessions.c.cookie_hash == bindparam("the_cookie"), users.c.disabled_at.is_(None), *_IS_LIVE)
)
_INSERT = insert(login_sessions)
_USER = select(users.c.sub).where(users.c.sub == bindparam("sub"), users.c.disabled_at.is_(None))


@dataclass(frozen=True)
class LoginSession:
    """A login session that has not ended, of an enabled user. `auth_time` is Unix seconds."""

    sid: str
    sub: str
    email: str
    auth_time: int
    acr: str
    claims: dict[str, Any]


@dataclass(frozen=True)
class Lifetime:
    """Seconds since the session was last seen, and since the login."""

    idle: int
    absolute: int


@dataclass(frozen=True)
class NewLoginSession:
    """`cookie_hash` and `sid` are new. `replaces` is the hash of the cookie that the browser has, if any."""

    cookie_hash: bytes
    sid: str
    authentication: AuthenticationResult
    replaces: bytes | None
    address: str


class CredentialUse(Protocol):
    """The use of a credential (a password, a passkey) in the unit of work that begins the login session."""

    def lock(self, connection: Connection) -> bool:
        """Lock the credential until the commit. False if it was changed since it was checked."""

    def record(self, connection: Connection) -> None:
        """Write what the use changes."""


def begin_login_session(
    connection: Connection, new: NewLoginSession, credential: CredentialUse, *, now: int, lifetime: Lifetime
) -> bool:
    """Begin a login session for a user who has just been authenticated by `credential`.

    The browser gets a new cookie at each login. If the cookie that it had belongs to a session of the same user, that
    session continues under its sid, so that the user's apps stay signed in. Another user's session is ended.

    False if the credential was changed or the user was disabled meanwhile; then nothing is written.
    """
    if not credential.lock(connection):
        return False
    sid = _continue_or_insert(connection, new, now=now, lifetime=lifetime)
    if sid is None:
        return False
    credential.record(connection)
    audit_trail.record(connection, "login", now=now, sub=new.authentication.sub, sid=sid, address=new.address)
    return True


def _continue_or_insert(connection: Connection, new: NewLoginSession, *, now: int, lifetime: Lifetime) -> str | None:
    """The sid. None if the user is disabled."""
    sub, acr, auth_time = new.authentication.sub, new.authentication.acr, new.authentication.auth_time
    if lock_parent(connection, _USER, {"sub": sub}) is None:
        return None
    values = {
        "cookie_hash": new.cookie_hash,
        "auth_time": auth_time,
        "acr": acr,
        "last_seen_at": now,
        "expires_at": now + lifetime.absolute,
    }
    if new.replaces is not None:
        continued: str | None = connection.execute(
            update(login_sessions)
            .where(login_sessions.c.cookie_hash == new.replaces, login_sessions.c.sub == sub, *_IS_LIVE)
            .values(**values)
            .returning(login_sessions.c.sid),
            {"now": now, "seen_since": now - lifetime.idle},
        ).scalar_one_or_none()
        if continued is not None:
            return continued
        end_login_session(connection, new.replaces, now=now)
    connection.execute(_INSERT, {"sid": new.sid, "sub": sub, **values})
    # Last, because the rows that it deletes are locked in no fixed order.
    prune(connection, login_sessions.c.expires_at, now=now)
    return new.sid


def find_login_session(
    connection: Connection, cookie_hash: bytes, *, now: int, lifetime: Lifetime
) -> tuple[LoginSession, bool] | None:
    """The login session of this cookie, and whether `record_last_seen` is due. None if it has ended."""
    row = connection.execute(
        _FIND, {"the_cookie": cookie_hash, "now": now, "seen_since": now - lifetime.idle}
    ).one_or_none()
    if row is None:
        return None
    session = LoginSession(
        sid=row.sid,
        sub=row.sub,
        email=row.email,
        auth_time=row.auth_time,
        acr=row.acr or PASSWORD,
        claims=row.claims,
    )
    return session, row.last_seen_at <= now - LAST_SEEN_INTERVAL


def record_last_seen(connection: Connection, sid: str, *, now: int) -> None:
    """Extend the idle limit."""
    connection.execute(
        update(login_sessions)
        .where(login_sessions.c.sid == sid, login_sessions.c.ended_at.is_(None), login_sessions.c.last_seen_at < now)
        .values(last_seen_at=now)
    )


def end_login_session(connection: Connection, cookie_hash: bytes, *, now: int) -> bool:
    """End the session and its token families, and enqueue logout tokens for its clients, in this unit of work.

    False if there was no such session, or it had ended before.
    """
    ended = connection.execute(
        update(login_sessions)
        .where(login_sessions.c.cookie_hash == cookie_hash, login_sessions.c.ended_at.is_(None))
        .values(ended_at=now)
        .returning(login_sessions.c.sid, login_sessions.c.sub)
    ).one_or_none()
    if ended is not None:
        # The deliveries come first: they wait for a concurrent deletion of a client.
        logout_deliveries.enqueue_deliveries(connection, [ended.sid], now=now)
        revocations.revoke_families_of_login_session(connection, ended.sid, now=now)
        audit_trail.record(connection, "logout", now=now, sub=ended.sub, sid=ended.sid)
    return ended is not None
