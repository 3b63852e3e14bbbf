"""Whether that under which something is to be born still lives, and goes on living until the commit."""

from sqlalchemy import Connection, bindparam, select

from auth_service.store.schema.tables import clients, login_sessions, users
from tallystick_service.store import lock_parent

_CLIENT = select(clients.c.client_id).where(
    clients.c.client_id == bindparam("client_id"), clients.c.disabled_at.is_(None)
)
_USER = select(users.c.sub).where(users.c.sub == bindparam("sub"), users.c.disabled_at.is_(None))
_LOGIN_SESSION = select(login_sessions.c.sid).where(
    login_sessions.c.sid == bindparam("sid"),
    login_sessions.c.ended_at.is_(None),
    login_sessions.c.expires_at > bindparam("now"),
)


def parents_are_alive(connection: Connection, *, client_id: str, sub: str | None, sid: str | None, now: int) -> bool:
    """Lock the client, the user and the login session, and say whether all of them are live.

    A sign-out that runs beside this unit waits for the locks, and then sees the child.
    """
    if lock_parent(connection, _CLIENT, {"client_id": client_id}) is None:
        return False
    return login_is_alive(connection, sub=sub, sid=sid, now=now)


def login_is_alive(connection: Connection, *, sub: str | None, sid: str | None, now: int) -> bool:
    """Lock the user and the login session, and report whether those named are live. The client is locked before."""
    if sub is not None and lock_parent(connection, _USER, {"sub": sub}) is None:
        return False
    return sid is None or lock_parent(connection, _LOGIN_SESSION, {"sid": sid, "now": now}) is not None
