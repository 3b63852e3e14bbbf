"""What a user allowed a client; remembered, so that it is asked once."""

from enum import Enum, auto

from sqlalchemy import Connection, delete, insert, select, update

from auth_service.store.audit import audit_trail
from auth_service.store.clients import clients
from auth_service.store.clients.clients import Client
from auth_service.store.schema.tables import consents, users
from auth_service.store.tokens import authorization_codes, revocations


class NotGiven(Enum):
    """Why a consent was not stored."""

    CLIENT_CHANGED = auto()
    USER_DISABLED = auto()


def find_consented_scopes(connection: Connection, sub: str, client_id: str) -> frozenset[str]:
    """The scopes allowed so far."""
    scope = connection.execute(
        select(consents.c.scope).where(consents.c.sub == sub, consents.c.client_id == client_id)
    ).scalar_one_or_none()
    return frozenset((scope or "").split())


def give_consent(
    connection: Connection, sub: str, client: Client, scopes: frozenset[str], *, now: int
) -> NotGiven | None:
    """Add to what is allowed. None when that is stored.

    Otherwise nothing is: the client's row is not as in `client`, which the user decided about, or one of them is gone.
    """
    # The client first, as everywhere; the user's row is the lock under which two windows add to one consent.
    if not clients.lock_unchanged(connection, client):
        return NotGiven.CLIENT_CHANGED
    client_id = client.client_id
    locked = connection.execute(
        select(users.c.sub).where(users.c.sub == sub, users.c.disabled_at.is_(None)).with_for_update()
    ).one_or_none()
    if locked is None:
        return NotGiven.USER_DISABLED
    scope = " ".join(sorted(find_consented_scopes(connection, sub, client_id) | scopes))
    known = connection.execute(
        update(consents)
        .where(consents.c.sub == sub, consents.c.client_id == client_id)
        .values(scope=scope, granted_at=now)
    )
    if known.rowcount == 0:
        connection.execute(insert(consents).values(sub=sub, client_id=client_id, scope=scope, granted_at=now))
    detail = {"scope": sorted(scopes)}
    audit_trail.record(connection, "consent_granted", now=now, sub=sub, client_id=client_id, detail=detail)
    return None


def withdraw_consent(connection: Connection, sub: str, client_id: str, *, now: int) -> bool:
    """Forget the consent and end what was given under it; False when there was neither."""
    # The codes first, as a redemption beside this does: it is waited for, and its family is found below. Codes that
    # were issued until the user's row was locked are found after it.
    authorization_codes.void_codes(connection, sub, client_id)
    connection.execute(select(users.c.sub).where(users.c.sub == sub).with_for_update())
    authorization_codes.void_codes(connection, sub, client_id)
    found = connection.execute(delete(consents).where(consents.c.sub == sub, consents.c.client_id == client_id))
    ended = revocations.revoke_families_of_consent(connection, sub, client_id, now=now)
    if found.rowcount == 0 and ended == 0:
        return False
    audit_trail.record(connection, "consent_withdrawn", now=now, sub=sub, client_id=client_id)
    return True
