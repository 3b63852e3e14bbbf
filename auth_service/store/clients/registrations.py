"""Clients that registered themselves. Unused ones are pruned, and their number is bounded."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, select, update

from auth_service.store.audit import audit_limits, audit_trail
from auth_service.store.clients.clients import REGISTRATION, has_same_identity, set_origins, void_codes
from auth_service.store.limits.rate_limits import Bucket
from auth_service.store.schema.locks import Lock
from auth_service.store.schema.tables import authorization_codes, clients, consents
from auth_service.store.tokens import revocations
from tallystick_service.store import advisory_lock, prune


@dataclass(frozen=True)
class Registration:
    """`token_hash` is the SHA-256 of the registration access token (RFC 7592). `created_at` is in Unix seconds."""

    client_id: str
    token_hash: bytes
    secret_hash: bytes | None
    metadata: dict[str, Any]
    origins: Collection[str]
    created_at: int
    with_initial_token: bool = False


def add_registration(
    connection: Connection, registration: Registration, *, registered_from: bytes, keep_unused: int, max_clients: int
) -> bool:
    """Register a client from the site with the hash `registered_from`.

    A client that is not used for `keep_unused` seconds is pruned by a later registration. When there are `max_clients`
    that are not disabled, an unused one is deleted to make room. False when all of them are used.
    """
    advisory_lock(connection, Lock.REGISTRATIONS)
    now = registration.created_at
    prune(connection, clients.c.prune_at, now=now)
    known = select(func.count()).select_from(clients)
    known = known.where(clients.c.origin == REGISTRATION, clients.c.disabled_at.is_(None))
    is_full = connection.execute(known).scalar_one() >= max_clients
    if is_full and not _make_room(connection, registered_from):
        return False
    connection.execute(
        insert(clients).values(
            client_id=registration.client_id,
            secret_hash=registration.secret_hash,
            metadata=registration.metadata,
            origin=REGISTRATION,
            created_at=now,
            registration_token_hash=registration.token_hash,
            registered_with_token=registration.with_initial_token,
            prune_at=now + keep_unused,
            registered_from=registered_from,
        )
    )
    set_origins(connection, registration.client_id, registration.origins)
    audit_trail.record(connection, "client_added", now=now, client_id=registration.client_id, by=REGISTRATION)
    return True


def _make_room(connection: Connection, registered_from: bytes) -> bool:
    """Delete the oldest unused client of the site that has most of them; of equal sites, preferably the caller's own.

    Each site then has an equal share, and a new site can always register. False when no client is unused.
    """
    unused = (clients.c.prune_at.is_not(None), clients.c.disabled_at.is_(None))
    site = clients.c.registered_from
    # The caller's site is counted with the client that it is about to register.
    number = func.count() + case((site == registered_from, 1), else_=0)
    per_site = select(site).where(*unused).group_by(site).order_by(number.desc(), func.min(clients.c.prune_at)).limit(1)
    largest = connection.execute(per_site).one_or_none()
    if largest is None:
        return False
    oldest = select(clients.c.client_id).where(*unused, site.is_not_distinct_from(largest.registered_from))
    # A client that is used for the first time at this moment is locked, so the next one is deleted instead.
    oldest = oldest.order_by(clients.c.prune_at, clients.c.client_id).limit(1).with_for_update(skip_locked=True)
    found = connection.execute(oldest).scalar_one_or_none()
    if found is None:
        return False
    return connection.execute(delete(clients).where(clients.c.client_id == found, *unused)).rowcount == 1


def find_registration(connection: Connection, client_id: str) -> Registration | None:
    """None unless the client registered itself and is not disabled. `origins` is left empty."""
    row = connection.execute(
        select(clients).where(
            clients.c.client_id == client_id,
            clients.c.disabled_at.is_(None),
            clients.c.registration_token_hash.is_not(None),
        )
    ).one_or_none()
    if row is None:
        return None
    return Registration(
        client_id=row.client_id,
        token_hash=bytes(row.registration_token_hash),
        secret_hash=None if row.secret_hash is None else bytes(row.secret_hash),
        metadata=row.metadata,
        origins=(),
        created_at=row.created_at,
    )


def replace_registration(
    connection: Connection,
    registration: Registration,
    *,
    secret_before: bytes | None,
    differs: Collection[str],
    audit_bucket: Bucket,
    now: int,
) -> bool:
    """Store new metadata. False when the client was deleted or disabled, or has another secret than `secret_before`.

    When one of the IDENTITY_FIELDS changes, users are asked for consent again, and the client's codes become void.
    `differs` names the changed fields for the audit trail; `audit_bucket` limits how often a row is written.
    """
    metadata = select(clients.c.metadata).where(
        clients.c.client_id == registration.client_id,
        clients.c.registration_token_hash == registration.token_hash,
        clients.c.secret_hash.is_not_distinct_from(secret_before),
        clients.c.disabled_at.is_(None),
    )
    seen = connection.execute(metadata).scalar_one_or_none()
    if seen is not None and not has_same_identity(seen, registration.metadata):
        void_codes(connection, registration.client_id)  # before the client is locked, as a redemption does
    locked = connection.execute(metadata.with_for_update()).scalar_one_or_none()
    if locked is None:
        return False
    is_same_client = has_same_identity(locked, registration.metadata)
    connection.execute(
        update(clients)
        .where(clients.c.client_id == registration.client_id)
        .values(secret_hash=registration.secret_hash, metadata=registration.metadata)
    )
    set_origins(connection, registration.client_id, registration.origins)
    if not is_same_client:
        void_codes(connection, registration.client_id)  # codes that were issued before the lock
        connection.execute(delete(consents).where(consents.c.client_id == registration.client_id))
    if differs:
        audit_limits.record(
            connection,
            "client_changed",
            audit_bucket,
            now_ms=now * 1000,
            client_id=registration.client_id,
            detail={"by": REGISTRATION, "differs": sorted(differs)},
        )
    return True


def delete_client(connection: Connection, client_id: str, *, now: int) -> bool:
    """Delete a client that registered itself, with its consents, codes and token families. False when there is none.

    Its access tokens are revoked first, because the rows that name them are deleted.
    """
    # A redemption locks the code before the client. The same order here avoids a deadlock.
    registered = select(clients.c.client_id).where(clients.c.client_id == client_id, clients.c.origin == REGISTRATION)
    connection.execute(delete(authorization_codes).where(authorization_codes.c.client_id.in_(registered)))
    # The lock keeps a redemption from adding a family after the revocation.
    if connection.execute(registered.with_for_update()).one_or_none() is None:
        return False
    revocations.revoke_families_of_client(connection, client_id, now=now)
    connection.execute(delete(clients).where(clients.c.client_id == client_id))
    audit_trail.record(connection, "client_deleted", now=now, client_id=client_id)
    return True
