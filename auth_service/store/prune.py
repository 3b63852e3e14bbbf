"""Tables stay bounded by the writes themselves; there is no cron job."""

from sqlalchemy import ColumnElement, Connection, Table, delete, select

_AT_MOST = 8
"""Rows a write takes with it: more than it adds, so that a backlog shrinks, and few, so that no write is slow."""


def prune(connection: Connection, table: Table, expires_at: ColumnElement[int], *, now: int) -> None:
    """Delete a few rows of `table` whose indexed `expires_at` has come. Rows another writer holds are left to it."""
    (key,) = table.primary_key.columns
    expired = select(key).where(expires_at <= now).order_by(expires_at).limit(_AT_MOST)
    connection.execute(delete(table).where(key.in_(expired.with_for_update(skip_locked=True))))
