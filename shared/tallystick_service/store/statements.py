"""Statements that units of work share. They run the same on SQLite and PostgreSQL."""

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Connection, Delete, Row, Select, Table, bindparam, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite


def prune(connection: Connection, column: Column[int], *, now: int, limit: int = 4) -> int:
    """Delete at most `limit` rows whose `column` (indexed; Unix seconds) is `now` or earlier. Returns their number.

    A unit that adds a row prunes a few expired ones, so a table does not grow and needs no cleaning job.
    """
    return connection.execute(_pruning(column), {"now": now, "at_most": limit}).rowcount


@lru_cache(maxsize=64)
def _pruning(column: Column[int]) -> Delete:
    table = column.table
    if not isinstance(table, Table):
        raise TypeError("prune() needs a column of a table")
    key = tuple_(*table.primary_key.columns) if len(table.primary_key.columns) > 1 else table.primary_key.columns[0]
    expired = (
        select(*table.primary_key.columns)
        .where(column <= bindparam("now"))
        .order_by(column)
        .limit(bindparam("at_most"))
        .with_for_update(skip_locked=True)  # two concurrent prunes take different rows; SQLite has one writer
        .cte("expired", nesting=True)  # PostgreSQL may run a plain subquery several times, and so beyond the limit
    )
    return delete(table).where(key.in_(select(*expired.columns)))


def insert_on_conflict(table: Table, statement: Callable[[Any], Any]) -> Mapping[str, Any]:
    """Return an INSERT with ON CONFLICT for each dialect, by the dialect's name.

    The SQL is the same, but SQLAlchemy has an insert() for each dialect. `statement` gets one on `table` and returns it
    with its `.on_conflict_do_…()`.
    """
    return {
        "postgresql": statement(postgresql.insert(table)),
        "sqlite": statement(sqlite.insert(table)),
    }


def lock_parent(
    connection: Connection, parent: Select[Any], parameters: Mapping[str, object] | None = None
) -> Row[Any] | None:
    """Fetch the row that a new child row will refer to, and lock it until the commit (`FOR SHARE`). None: no such row.

    On PostgreSQL a unit that creates a child must first lock its parents, or a concurrent revocation misses the child.
    SQLite writes one unit at a time, and SQLAlchemy renders no lock for it.
    """
    return connection.execute(_locking(parent), parameters).one_or_none()


@lru_cache(maxsize=64)
def _locking(parent: Select[Any]) -> Select[Any]:
    return parent.with_for_update(read=True)


def touch(connection: Connection) -> None:
    """Write a row of Alembic's table unchanged, which needs disk space like any write."""
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")


def advisory_lock(connection: Connection, name: str) -> None:
    """Lock `name` until this unit's commit; other units that lock it wait, in any process.

    For units that read much and write what follows from it. On SQLite every writing unit has that already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(lock_key(name))))


def lock_key(name: str) -> int:
    """The 64-bit signed number that identifies a PostgreSQL advisory lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
