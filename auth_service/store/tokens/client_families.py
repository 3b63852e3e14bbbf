"""The one token family with which a client acts for itself (RFC 6749 §4.4). No row is written for its tokens."""

from sqlalchemy import Connection, select, update

from auth_service.store.schema.tables import clients
from auth_service.store.schema.tables import token_families as families
from auth_service.store.tokens import token_families
from auth_service.store.tokens.authorization import Authorization
from auth_service.store.tokens.token_families import NO_REFRESH_TOKEN, Family, FamilyLifetime
from auth_service.vocabulary.timing import KEEP_ENDED_SECONDS


def get_or_create_family(
    connection: Connection, client_id: str, new_id: bytes, status_index: int, *, now: int, lifetime: FamilyLifetime
) -> Family | None:
    """The client's live family. If it has none, one is begun with `new_id` (16 random bytes) and `status_index`.

    In the second half of its lifetime the family is renewed, so that it outlives its newest tokens. None: the client is
    disabled.
    """
    # FOR UPDATE: of two concurrent first requests, one begins the family and the other finds it.
    client = select(clients.c.client_id).where(clients.c.client_id == client_id, clients.c.disabled_at.is_(None))
    if connection.execute(client.with_for_update()).one_or_none() is None:
        return None
    its_live_one = (families.c.client_id == client_id, families.c.sub.is_(None), families.c.revoked_at.is_(None))
    row = connection.execute(
        select(families.c.family_id, families.c.refresh_expires_at).where(*its_live_one)
    ).one_or_none()
    family_id: bytes | None = None if row is None else row.family_id
    if row is not None and row.refresh_expires_at <= now + lifetime.refresh_token // 2:
        family_id = _renew(connection, row.family_id, now=now, lifetime=lifetime)
    if family_id is not None:
        return token_families.find_family(connection, family_id)
    return token_families.begin_family(
        connection,
        new_id,
        Authorization(client_id),
        status_index=status_index,
        refresh_secret=NO_REFRESH_TOKEN,
        now=now,
        lifetime=lifetime,
    )


def _renew(connection: Connection, family_id: bytes, *, now: int, lifetime: FamilyLifetime) -> bytes | None:
    """None when another unit has just pruned it."""
    expires_at = now + lifetime.family
    return connection.execute(
        update(families)
        .where(families.c.family_id == family_id, families.c.revoked_at.is_(None))
        .values(
            refresh_expires_at=now + lifetime.refresh_token,
            expires_at=expires_at,
            prune_at=expires_at + lifetime.access_token + KEEP_ENDED_SECONDS,
        )
        .returning(families.c.family_id)
    ).scalar_one_or_none()
