"""Each `jti` of a client counts once, over all processes (RFC 7523 §3)."""

from sqlalchemy import Connection

from auth_service.store.schema.tables import client_assertions
from auth_service.store.tokens.owners import lock_active_owners
from tallystick_service.store import insert_on_conflict, prune


def spend(connection: Connection, client_id: str, jti_hash: bytes, *, expires_at: int, now: int) -> bool:
    """Whether the assertion is used for the first time, which this use ends. False for a client that is gone, too.

    `jti_hash` is SHA-256. One statement decides, so of many at the same instant one wins. `expires_at` is when nobody
    believes the assertion any more; until then it is remembered.
    """
    if not lock_active_owners(connection, client_id=client_id, sub=None, sid=None, now=now):
        return False
    given = {"client_id": client_id, "jti_hash": jti_hash, "expires_at": expires_at}
    is_first = connection.execute(_SPEND[connection.dialect.name], given).one_or_none() is not None
    prune(connection, client_assertions.c.expires_at, now=now)
    return is_first


_SPEND = insert_on_conflict(
    client_assertions, lambda insert: insert.on_conflict_do_nothing().returning(client_assertions.c.client_id)
)
