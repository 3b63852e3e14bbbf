"""Consents: the scopes that a user has allowed a client."""

from enum import Enum, auto

from sqlalchemy import Connection, delete, insert, select, update

from auth_service.store.audit import audit_trail
from auth_service.store.clients import clients
from auth_service.store.clients.clients import Client
from auth_service.store.schema.tables import consents, users
from auth_service.store.tokens import authorization_codes, revocations


class ConsentFailure(Enum):
    """Why a consent was not stored."""

    CLIENT_CHANGED = auto()
    USER_DISABLED = auto()


def find_consented_scopes(connection: Connection, sub: str, client_id: str) -> frozenset[str]:
    """The scopes that the user has allowed this client. Empty without a consent."""
    scope = connection.execute(
        select(consents.c.scope).where(consents.c.sub == sub, consents.c.client_id == client_id)
    ).scalar_one_or_none()
    return frozenset((scope or "").split())


def give_consent(
    connection: Connection, sub: str, client: Client, scopes: frozenset[str], *, now: int
) -> ConsentFailure | None:
    """Add `scopes` to the consent. None if they are stored.

    Nothing is stored if the client was changed or deleted since `client` was read, which the user has decided about, or
    if the user is disabled.
    """
    # Every unit of work locks the client before the user. The user's row serializes two windows with one consent.
    if not clients.lock_unchanged(connection, client):
        return ConsentFailure.CLIENT_CHANGED
    client_id = client.client_id
    locked = connection.execute(
        select(users.c.sub).where(users.c.sub == sub, users.c.disabled_at.is_(None)).with_for_update()
    ).one_or_none()
    if locked is None:
        return ConsentFailure.USER_DISABLED
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
    """Delete the consent and revoke the codes and token families under it. False if there were none."""
    # The codes are locked first, in the order of a redemption: a concurrent one is waited for, and its family is found
    # below. A second search finds codes that were issued before the user's row was locked.
    authorization_codes.void_codes(connection, sub, client_id)
    connection.execute(select(users.c.sub).where(users.c.sub == sub).with_for_update())
    authorization_codes.void_codes(connection, sub, client_id)
    found = connection.execute(delete(consents).where(consents.c.sub == sub, consents.c.client_id == client_id))
    ended = revocations.revoke_families_of_consent(connection, sub, client_id, now=now)
    if found.rowcount == 0 and ended == 0:
        return False
    audit_trail.record(connection, "consent_withdrawn", now=now, sub=sub, client_id=client_id)
    return True
