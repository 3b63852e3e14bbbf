"""The rows that own a code, a token family or another child row: the client, the user and the login session."""

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


def lock_active_owners(connection: Connection, *, client_id: str, sub: str | None, sid: str | None, now: int) -> bool:
    """Lock the client, the user and the login session until the commit, and report whether all are active.

    `sub` and `sid` are None for a child that has no such owner. A concurrent sign-out or deletion waits for the locks
    and then sees the child row.
    """
    if lock_parent(connection, _CLIENT, {"client_id": client_id}) is None:
        return False
    return lock_active_login(connection, sub=sub, sid=sid, now=now)


def lock_active_login(connection: Connection, *, sub: str | None, sid: str | None, now: int) -> bool:
    """Lock the user and the login session until the commit, and report whether both are active.

    The caller has locked the client before: all units lock in the order client, user, login session.
    """
    if sub is not None and lock_parent(connection, _USER, {"sub": sub}) is None:
        return False
    return sid is None or lock_parent(connection, _LOGIN_SESSION, {"sid": sid, "now": now}) is not None
