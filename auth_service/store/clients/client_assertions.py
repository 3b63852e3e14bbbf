"""The `jti` values of clients that were accepted, in all processes (RFC 7523 §3)."""

from sqlalchemy import Connection

from auth_service.store.schema.tables import client_assertions
from auth_service.store.tokens.owners import lock_active_owners
from tallystick_service.store import insert_on_conflict, prune


def spend_assertion(connection: Connection, client_id: str, jti_hash: bytes, *, expires_at: int, now: int) -> bool:
    """Record the use of an assertion. False if it was used before, or if the client was deleted.

    `jti_hash` is the SHA-256 of `jti`. One statement decides, so that only one of several concurrent uses succeeds.
    `expires_at` is the time from which no verifier accepts the assertion any more; it is remembered until then.
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
