"""The migrations lead to the very tables that the units of work are written for."""

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from auth_service.store.tables import metadata
from tallystick.store import Store
from tallystick.store.migrations import migrate


async def test_a_migrated_store_has_the_tables_we_use(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    for _ in range(2):
        await asyncio.to_thread(migrate, database_url, "auth_service.migrations")
    store = Store.open(database_url)
    try:
        assert await store.read(differences) == []
    finally:
        await store.close()
