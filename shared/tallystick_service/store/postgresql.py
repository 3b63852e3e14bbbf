"""PostgreSQL: a few threads, each with its own connection, and one transaction for each unit."""

import random
import re
import time
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tallystick_service.store.errors import StoreUnavailable, Unstorable
from tallystick_service.store.unit import Unit, resolve_futures
from tallystick_service.store.work_queue import Queue

Driver = psycopg.Connection[tuple[Any, ...]]

MAX_ATTEMPTS = 10
"""How often a unit is run after serialization failures and deadlocks."""

_RETRYABLE = {"40001", "40P01"}
_UNSTORABLE = {"22003", "22021", "22P05"}  # out of range; not in the character set; a NUL
_UNAVAILABLE_CLASSES = {"08", "53", "57", "58", "XX"}  # connection, resources, operator intervention, system, internal
_UNAVAILABLE = {"25P03", "55P03"}  # idle too long; a lock was not granted in time
_READ_ONLY = "25006"  # a standby; the primary has failed over to another server


_HOSTS = r"(?:[^%@/?]|%[0-9A-Fa-f]{2})*(?:/[^@?]*)?"
_URL = re.compile(rf"postgres(?:ql)?://(?:(?:[^%@/]|%[0-9A-Fa-f]{{2}})*@{_HOSTS}(?:\?.*)?|{_HOSTS}(?:\?[^@]*)?)")
"""Stricter than libpq about `@`: after an unescaped one, libpq takes the rest of a password for the host."""


def parse_libpq_url(url: str) -> dict[str, Any]:
    """The parameters of a libpq URL.

    Raises ValueError. Its message quotes nothing, because a misplaced part of the URL is often a part of the password,
    which libpq's own message would show.
    """
    try:
        if _URL.fullmatch(url):
            parameters = conninfo_to_dict(url)
            if all(_is_port(port) for port in str(parameters.get("port", "5432")).split(",") if port):
                return parameters
    except (psycopg.ProgrammingError, UnicodeError):
        pass
    raise ValueError(
        "this database_url is not a PostgreSQL URL; in its password, write each character but letters and digits as %XX"
    )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) <= 65535


@lru_cache(maxsize=8)
def postgresql_engine(url: str, *, statement_timeout: float) -> Engine:
    """Return an engine for any libpq URL. Opens no connection. `statement_timeout`: seconds, enforced by the server.

    The URL may override the connection timeouts that are set here to notice a server that vanished. Raises ValueError
    as `parse_libpq_url` does.
    """
    given = parse_libpq_url(url)
    milliseconds = str(int(statement_timeout * 1000))
    defaults = {
        "connect_timeout": "2",  # seconds; libpq takes no less
        "tcp_user_timeout": str(
            int(max(statement_timeout, 1.0) * 1000)
        ),  # with less, one lost packet would end the connection
        "keepalives_idle": "5",
        "keepalives_interval": "1",
        "keepalives_count": "3",
        "application_name": "tallystick",
        "client_encoding": "UTF8",  # a database in SQL_ASCII would otherwise return bytes
    }
    conninfo = make_conninfo("", **{**defaults, **given})

    def connect() -> Driver:
        connection = psycopg.connect(conninfo, autocommit=True)
        connection.execute(f"SET statement_timeout = {milliseconds}; SET idle_in_transaction_session_timeout = '30s'")
        connection.autocommit = False
        return connection

    # Every thread keeps its connection, so there is nothing to pool (ADR 54).
    return create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool, hide_parameters=True)


class Worker:
    """Runs in each thread: reads and writes in the order of their arrival."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, queue: Queue) -> None:
        thread_connection = ThreadConnection(self._engine)
        while (unit := queue.get()) is not None:
            if not unit.is_abandoned:
                _run(unit, thread_connection)
            queue.done(1)
            resolve_futures([unit])
        thread_connection.drop()


class ThreadConnection:
    """The connection of one thread: opened when it is first needed, and again after it was lost."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def get(self) -> tuple[Connection, Driver]:
        if self._connection is None:
            self._connection = self._engine.connect()
        driver = self._connection.connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            raise TypeError("the engine is not one of postgresql_engine()")
        return self._connection, driver

    def roll_back(self) -> None:
        """Make the connection ready for the next unit, or drop it when it is lost."""
        if self._connection is None:
            return
        try:
            self._connection.rollback()
            # In this order: get() reconnects an invalidated connection, which would hide that the old one was lost.
            is_lost = self._connection.invalidated or self.get()[1].closed
        except DBAPIError:
            is_lost = True
        if is_lost:
            self.drop()

    def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


class _LostInCommit(Exception):
    """The connection was lost during the commit: it is unknown whether the commit took effect."""


def _run(unit: Unit, thread_connection: ThreadConnection) -> None:
    """Set the unit's outcome. Run it again when the previous attempt certainly had no effect."""
    for attempt in range(MAX_ATTEMPTS):
        was_open = thread_connection.is_open
        try:
            unit.succeed(_transact(unit, thread_connection))
            return
        except BaseException as error:
            thread_connection.roll_back()
            unit.fail(_translated(error, writes=unit.writes))
            # A connection that was lost while idle does not show that the server is unreachable now.
            was_stale = was_open and not thread_connection.is_open and not isinstance(error, _LostInCommit)
            if unit.is_abandoned or not (was_stale or _sqlstate(error) in _RETRYABLE):
                return
            time.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311 - separates units that collided


def _transact(unit: Unit, thread_connection: ThreadConnection) -> Any:
    connection, driver = thread_connection.get()
    driver.read_only = not unit.writes
    driver.isolation_level = None if unit.writes else psycopg.IsolationLevel.REPEATABLE_READ
    result = unit.work(connection)
    if driver.info.transaction_status == TransactionStatus.INERROR:
        # PostgreSQL turns this COMMIT into a ROLLBACK without an error.
        raise RuntimeError("the unit of work continued after a failed statement, which needs begin_nested() around it")
    try:
        connection.commit()
    except DBAPIError as error:
        if driver.closed:
            raise _LostInCommit from error
        raise
    return result


def _sqlstate(error: BaseException) -> str | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def _translated(error: BaseException, *, writes: bool) -> BaseException:
    """Return the error that the caller gets."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = _sqlstate(error)
    known: BaseException
    match cause:
        case UnicodeEncodeError():
            known = Unstorable("a value cannot be stored")
        case psycopg.DataError() if (
            sqlstate is None or sqlstate in _UNSTORABLE
        ):  # without a state: refused by the driver
            known = Unstorable("a value cannot be stored")
        case _LostInCommit():
            known = StoreUnavailable("the connection to the store was lost during a commit")
        case psycopg.Error() if _is_unavailable(cause, writes=writes):
            known = StoreUnavailable("the store is unavailable")
        case _:
            return error
    known.__cause__ = error
    return known


def _is_unavailable(error: psycopg.Error, *, writes: bool) -> bool:
    match error.sqlstate:
        case None:  # not from the server: it could not be reached, or the connection was lost
            return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        case state if state == _READ_ONLY:
            return writes
        case state:
            return state[:2] in _UNAVAILABLE_CLASSES or state in _UNAVAILABLE | _RETRYABLE
