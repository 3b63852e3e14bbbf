"""The one family under which a client acts for itself. Its tokens are many, and no row is written for them."""

from sqlalchemy import Connection, select, update

from auth_service.store.schema.tables import clients
from auth_service.store.schema.tables import token_families as families
from auth_service.store.tokens import token_families
from auth_service.store.tokens.revocations import KEEP_DEAD
from auth_service.store.tokens.token_families import NO_REFRESH_TOKEN, Family, FamilyLifetime


def find_or_begin(
    connection: Connection, client_id: str, new_id: bytes, status_index: int, *, now: int, lifetime: FamilyLifetime
) -> Family | None:
    """The client's live family; `new_id` (16 random bytes) and `status_index` are for a new one, should there be
    none.

    Half-way through its lifetime it is renewed, or its newest tokens would die with it. None: the client is disabled.
    """
    # FOR UPDATE, so that of two first requests one opens the family and the other finds it.
    client = select(clients.c.client_id).where(clients.c.client_id == client_id, clients.c.disabled_at.is_(None))
    if connection.execute(client.with_for_update()).one_or_none() is None:
        return None
    mine = (families.c.client_id == client_id, families.c.sub.is_(None), families.c.revoked_at.is_(None))
    row = connection.execute(select(families.c.family_id, families.c.refresh_expires_at).where(*mine)).one_or_none()
    known: bytes | None = None if row is None else row.family_id
    if row is not None and row.refresh_expires_at <= now + lifetime.refresh_token // 2:
        known = _renew(connection, row.family_id, now=now, lifetime=lifetime)
    if known is not None:
        return token_families.find(connection, known)
    return token_families.begin(
        connection,
        new_id,
        client_id=client_id,
        sub=None,
        sid=None,
        login_sid=None,
        scope="",
        resources=[],
        claims=None,
        auth_time=None,
        acr=None,
        status_index=status_index,
        refresh_secret=NO_REFRESH_TOKEN,
        now=now,
        lifetime=lifetime,
    )


def _renew(connection: Connection, family_id: bytes, *, now: int, lifetime: FamilyLifetime) -> bytes | None:
    """None when another unit has pruned it in this very moment."""
    expires_at = now + lifetime.family
    return connection.execute(
        update(families)
        .where(families.c.family_id == family_id, families.c.revoked_at.is_(None))
        .values(
            refresh_expires_at=now + lifetime.refresh_token,
            expires_at=expires_at,
            prune_at=expires_at + lifetime.access_token + KEEP_DEAD,
        )
        .returning(families.c.family_id)
    ).scalar_one_or_none()
