"""The latest timestamp in the store, for a process whose system clock may have been set back before it started."""

from sqlalchemy import Connection, func, select, union_all

from auth_service.store.schema.tables import audit, login_sessions, status_lists, token_families

_MAX_ROWS = 5000
"""Rows that are read, those that expire last. They were nearly always written last, too, and an index finds them."""


def latest_timestamp(connection: Connection) -> int:
    """Unix seconds. Exact, except for families without refresh tokens: there it may be as old as the status list is."""
    families = select(token_families.c.rotated_at).order_by(token_families.c.prune_at.desc()).limit(_MAX_ROWS)
    logins = select(login_sessions.c.last_seen_at).order_by(login_sessions.c.expires_at.desc()).limit(_MAX_ROWS)
    of_each = union_all(
        select(func.max(families.subquery().c.rotated_at).label("at")),
        select(func.max(logins.subquery().c.last_seen_at)),
        select(func.max(audit.c.at)),
        select(func.max(status_lists.c.iat) - 1),  # a status list may be dated a second ahead
    )
    return connection.execute(select(func.max(of_each.subquery().c.at))).scalar_one() or 0
