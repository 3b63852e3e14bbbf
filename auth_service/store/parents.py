"""Whether that under which something is to be born still lives, and goes on living until the commit."""

from sqlalchemy import Connection, select

from auth_service.store.tables import clients, login_sessions, users
from tallystick.store import lock_parent


def parents_are_alive(connection: Connection, *, client_id: str, sub: str | None, sid: str | None, now: int) -> bool:
    """Lock the client, the user and the login session, and say whether all of them are live.

    A sign-out that runs beside this unit waits for the locks, and then sees the child.
    """
    alive = [select(clients.c.client_id).where(clients.c.client_id == client_id, clients.c.disabled_at.is_(None))]
    if sub is not None:
        alive.append(select(users.c.sub).where(users.c.sub == sub, users.c.disabled_at.is_(None)))
    if sid is not None:
        alive.append(
            select(login_sessions.c.sid).where(
                login_sessions.c.sid == sid, login_sessions.c.ended_at.is_(None), login_sessions.c.expires_at > now
            )
        )
    return all(lock_parent(connection, parent) is not None for parent in alive)
