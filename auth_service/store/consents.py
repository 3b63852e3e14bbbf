"""What a user allowed a client; remembered, so that it is asked once."""

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from auth_service.store import audit, authorization_codes, revocations
from auth_service.store.tables import clients, consents, users
from tallystick.store import lock_parent

_CLIENT = select(clients.c.client_id).where(clients.c.client_id == bindparam("client_id"))


def find(connection: Connection, sub: str, client_id: str) -> frozenset[str]:
    """The scopes allowed so far."""
    scope = connection.execute(
        select(consents.c.scope).where(consents.c.sub == sub, consents.c.client_id == client_id)
    ).scalar_one_or_none()
    return frozenset((scope or "").split())


def give(connection: Connection, sub: str, client_id: str, scopes: frozenset[str], *, now: int) -> bool:
    """Add to what is allowed. False when the user or the client is gone meanwhile."""
    # The client first, as everywhere; the user's row is the lock under which two windows add to one consent.
    client = lock_parent(connection, _CLIENT, {"client_id": client_id})
    locked = connection.execute(
        select(users.c.sub).where(users.c.sub == sub, users.c.disabled_at.is_(None)).with_for_update()
    ).one_or_none()
    if locked is None or client is None:
        return False
    scope = " ".join(sorted(find(connection, sub, client_id) | scopes))
    known = connection.execute(
        update(consents)
        .where(consents.c.sub == sub, consents.c.client_id == client_id)
        .values(scope=scope, granted_at=now)
    )
    if known.rowcount == 0:
        connection.execute(insert(consents).values(sub=sub, client_id=client_id, scope=scope, granted_at=now))
    detail = {"scope": sorted(scopes)}
    audit.record(connection, "consent_granted", now=now, sub=sub, client_id=client_id, detail=detail)
    return True


def withdraw(connection: Connection, sub: str, client_id: str, *, now: int) -> bool:
    """Forget the consent and end what was given under it; False when there was neither."""
    # The codes first, as a redemption beside this does: it is waited for, and its family is found below.
    authorization_codes.void(connection, sub, client_id)
    connection.execute(select(users.c.sub).where(users.c.sub == sub).with_for_update())
    found = connection.execute(delete(consents).where(consents.c.sub == sub, consents.c.client_id == client_id))
    ended = revocations.revoke_of_consent(connection, sub, client_id, now=now)
    if found.rowcount == 0 and ended == 0:
        return False
    audit.record(connection, "consent_withdrawn", now=now, sub=sub, client_id=client_id)
    return True
