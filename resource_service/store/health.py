from sqlalchemy import Connection, select

from resource_service.store.tables import notes


def ping(connection: Connection) -> None:
    """Ends well when the database answers and has been migrated."""
    connection.execute(select(notes.c.id).limit(1))
