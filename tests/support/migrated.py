"""Databases as their migrations leave them. Each is migrated once, because Alembic takes longer than most tests."""

import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tallystick_service.store.migrations import migrate
from tests.support.postgres import PostgreSQL

AUTH = "auth_service.migrations"
NOTES = "resource_service.migrations"


@cache
def _sqlite(scripts: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "migrated.db"
        migrate(f"sqlite:///{file}", scripts)
        return file.read_bytes()


def sqlite_with_tables(file: Path, scripts: str) -> str:
    """The URL of a database at `file` with the tables of the package `scripts`. An existing file keeps its rows."""
    if not file.exists():
        file.write_bytes(_sqlite(scripts))
    return f"sqlite:///{file}"


class _Tables:
    """A database with the tables of the package `scripts`. One connection stays open, to keep its caches."""

    def __init__(self, postgresql: PostgreSQL, scripts: str) -> None:
        name = f"migrated_{scripts}"
        self.url = postgresql.url(name)
        with psycopg.connect(postgresql.url("postgres"), autocommit=True) as server:
            server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        migrate(self.url, scripts)
        self.connection = self._connect()
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        names = [Identifier(name) for (name,) in self.connection.execute(tables)]
        self.connection.execute("CREATE SCHEMA pristine")
        for table in names:
            self.connection.execute(SQL("CREATE TABLE pristine.{0} AS TABLE {0}").format(table))
        deleted = [SQL("DELETE FROM {}").format(table) for table in names]
        restored = [SQL("INSERT INTO {0} TABLE pristine.{0}").format(table) for table in names]
        self._restore = SQL("; ").join([*deleted, *restored])

    def restore(self) -> None:
        """Leave the rows that the migrations insert."""
        try:
            self.connection.execute(self._restore)
        except psycopg.OperationalError:  # a test has stopped the server
            self.connection.close()
            self.connection = self._connect()
            self.connection.execute(self._restore)

    def _connect(self) -> psycopg.Connection:
        connection = psycopg.connect(self.url, autocommit=True)
        connection.execute("SET session_replication_role = replica")  # rows can be deleted in any order
        return connection


@pytest.fixture(scope="session")
def postgresql_with_tables(postgresql: PostgreSQL) -> Iterator[Callable[[str], str]]:
    """Returns the URL of the database with the tables of a package, after removing the rows of the test before."""
    databases: dict[str, _Tables] = {}

    def emptied(scripts: str) -> str:
        if scripts not in databases:
            databases[scripts] = _Tables(postgresql, scripts)
        databases[scripts].restore()
        return databases[scripts].url

    yield emptied
    for database in databases.values():
        database.connection.close()


def _url(request: pytest.FixtureRequest, tmp_path: Path, scripts: str) -> str:
    if request.param == "sqlite":
        return sqlite_with_tables(tmp_path / "test.db", scripts)
    emptied: Callable[[str], str] = request.getfixturevalue("postgresql_with_tables")
    return emptied(scripts)


@pytest.fixture(params=["sqlite", "postgresql"])
def auth_tables_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The auth service's tables, as migrated, on SQLite and on PostgreSQL."""
    return _url(request, tmp_path, AUTH)


@pytest.fixture(params=["sqlite", "postgresql"])
def notes_tables_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The tables of the notes API, as migrated, on SQLite and on PostgreSQL."""
    return _url(request, tmp_path, NOTES)
