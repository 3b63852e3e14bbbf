"""Databases of the auth service, with the configuration applied. Each test has its own."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from auth_service.configuration.configuration_file import apply
from auth_service.keys.bootstrap import bootstrap
from auth_service.keys.master_key import MasterKey
from auth_service.store.schema.tables import metadata
from tallystick_service.store.migrations import migrate
from tests.support.clock import MovableClock
from tests.support.declared import MASTER_KEY, declared_settings
from tests.support.patience import patient_store
from tests.support.postgres import PostgreSQL


def set_up(database_url: str) -> None:
    """Prepare a database as the command `serve` does."""

    async def fill() -> None:
        store = patient_store(database_url)
        settings = declared_settings(database_url)
        master_key = MasterKey.load(MASTER_KEY, may_create=False)
        await bootstrap(store, master_key, MovableClock(), keep_published=settings.lifetimes.signing_key_after)
        await apply(store, settings, MovableClock())
        await store.close()

    migrate(database_url, "auth_service.migrations")
    asyncio.run(fill())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared database that tests copy and do not change."""
    file = tmp_path_factory.mktemp("template") / "auth.db"
    set_up(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_template(postgresql: PostgreSQL) -> str:
    """The URL of a prepared database, with a copy of its tables in the schema `pristine`."""
    name = "auth_service"
    with psycopg.connect(postgresql.url("postgres"), autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    set_up(postgresql.url(name))
    with psycopg.connect(postgresql.url(name)) as connection:
        connection.execute("CREATE SCHEMA pristine")
        for table in metadata.sorted_tables:
            connection.execute(SQL("CREATE TABLE pristine.{0} AS TABLE {0}").format(Identifier(table.name)))
    return postgresql.url(name)


@pytest.fixture
def auth_sqlite_url(sqlite_template: Path) -> str:
    """A prepared database at the path of the last test, so that the cache of compiled statements is used again."""
    file = sqlite_template.with_name("current.db")
    for left in file.parent.glob(f"{file.name}-*"):
        left.unlink()
    return f"sqlite:///{shutil.copy(sqlite_template, file)}"


@pytest.fixture(scope="session")
def restore_postgresql(postgresql_template: str) -> Iterator[Callable[[], None]]:
    """Restore the original rows. It keeps one connection: a new one has empty caches and takes eight times as long."""
    names = [Identifier(table.name) for table in metadata.sorted_tables]
    emptied = [SQL("DELETE FROM {}").format(name) for name in reversed(names)]
    filled = [SQL("INSERT INTO {0} TABLE pristine.{0}").format(name) for name in names]
    connection = psycopg.connect(postgresql_template, autocommit=True)

    def restore() -> None:
        nonlocal connection
        if connection.closed:
            connection = psycopg.connect(postgresql_template, autocommit=True)
        connection.execute(SQL("; ").join([*emptied, *filled])).close()

    def restore_again() -> None:
        try:
            restore()
        except psycopg.OperationalError:  # the test before stopped the server
            connection.close()
            restore()

    yield restore_again
    connection.close()


@pytest.fixture
def auth_postgresql_url(postgresql_template: str, restore_postgresql: Callable[[], None]) -> str:
    """A prepared database with the original rows. Restoring them takes a twentieth of the time of a new database."""
    restore_postgresql()
    return postgresql_template


@pytest.fixture(params=["sqlite", "postgresql"])
def auth_database_url(request: pytest.FixtureRequest) -> str:
    """On SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(f"auth_{request.param}_url")
    return url
