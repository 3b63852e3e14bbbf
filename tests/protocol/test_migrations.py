"""The migrations lead to the very tables that the units of work are written for."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from auth_service.store import tables as auth_tables
from resource_service.store import tables as notes_tables
from tallystick.store import Store
from tallystick.store.migrations import migrate


@pytest.mark.parametrize(
    ("package", "metadata"),
    [("auth_service.migrations", auth_tables.metadata), ("resource_service.migrations", notes_tables.metadata)],
    ids=["auth_service", "resource_service"],
)
async def test_a_migrated_store_has_the_tables_we_use(database_url: str, package: str, metadata: MetaData) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    for _ in range(2):
        await asyncio.to_thread(migrate, database_url, package)
    store = Store.open(database_url)
    try:
        assert await store.read(differences) == []
    finally:
        await store.close()
