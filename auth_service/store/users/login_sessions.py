"""The browser's signed-in state: an opaque id with the holder, its SHA-256 here."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from auth_service.store.audit import audit_trail
from auth_service.store.logout import logout_deliveries
from auth_service.store.schema.tables import login_sessions, users
from auth_service.store.tokens import revocations
from auth_service.vocabulary.acr import PASSWORD
from tallystick_service.store import lock_parent, prune

_SEEN_EVERY = 60
"""Seconds between two writes of last_seen_at, so that reading a page does not cost a commit."""

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
    """A live login session of a user who may sign in."""

    sid: str
    sub: str
    email: str
    auth_time: int
    acr: str
    claims: dict[str, Any]


@dataclass(frozen=True)
class Lifetime:
    """Seconds."""

    idle: int
    absolute: int


def begin_login_session(
    connection: Connection,
    cookie_hash: bytes,
    *,
    sid: str,
    sub: str,
    acr: str,
    replaces: bytes | None,
    now: int,
    lifetime: Lifetime,
) -> str | None:
    """Open a login session for a user who has just been authenticated, and return the sid that it goes by; None when
    the user was disabled meanwhile.

    The browser gets a new id at each login. When `replaces`, the hash of the id it brought, belongs to the same user,
    that session becomes this one under its old sid, so that the user's apps stay signed in; another user's is ended.
    """
    if lock_parent(connection, _USER, {"sub": sub}) is None:
        return None
    if replaces is not None:
        continued: str | None = connection.execute(
            update(login_sessions)
            .where(login_sessions.c.cookie_hash == replaces, login_sessions.c.sub == sub, *_IS_LIVE)
            .values(
                cookie_hash=cookie_hash, auth_time=now, acr=acr, last_seen_at=now, expires_at=now + lifetime.absolute
            )
            .returning(login_sessions.c.sid),
            {"now": now, "seen_since": now - lifetime.idle},
        ).scalar_one_or_none()
        if continued is not None:
            return continued
        end_login_session(connection, replaces, now=now)
    connection.execute(
        _INSERT,
        {
            "sid": sid,
            "cookie_hash": cookie_hash,
            "sub": sub,
            "auth_time": now,
            "acr": acr,
            "last_seen_at": now,
            "expires_at": now + lifetime.absolute,
        },
    )
    # Last: it locks what it deletes in no order, so nothing may be waited for behind it.
    prune(connection, login_sessions.c.expires_at, now=now)
    return sid


def find_login_session(
    connection: Connection, cookie_hash: bytes, *, now: int, lifetime: Lifetime
) -> tuple[LoginSession, bool] | None:
    """The live session of this cookie, and whether it is time to write that it was seen."""
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
    return session, row.last_seen_at <= now - _SEEN_EVERY


def record_last_seen(connection: Connection, sid: str, *, now: int) -> None:
    """Push the idle limit back."""
    connection.execute(
        update(login_sessions)
        .where(login_sessions.c.sid == sid, login_sessions.c.ended_at.is_(None), login_sessions.c.last_seen_at < now)
        .values(last_seen_at=now)
    )


def end_login_session(connection: Connection, cookie_hash: bytes, *, now: int) -> bool:
    """Sign out: the session, and every token family that lives under it, end in this one unit; its clients are told.

    False when there was no such session, or it had ended before.
    """
    ended = connection.execute(
        update(login_sessions)
        .where(login_sessions.c.cookie_hash == cookie_hash, login_sessions.c.ended_at.is_(None))
        .values(ended_at=now)
        .returning(login_sessions.c.sid, login_sessions.c.sub)
    ).one_or_none()
    if ended is not None:
        logout_deliveries.enqueue(connection, [ended.sid], now=now)  # first: it waits for who deletes a client
        revocations.revoke_of_login_session(connection, ended.sid, now=now)
        audit_trail.record(connection, "logout", now=now, sub=ended.sub, sid=ended.sid)
    return ended is not None
