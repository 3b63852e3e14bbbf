"""Signing keys: added, withdrawn, and destroyed when no token that they signed can be valid any more."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from auth_service.store.audit import audit_trail
from auth_service.store.audit.audit_trail import Detail
from auth_service.store.keys.stored_secrets import Secrets, check_secrets
from auth_service.store.schema.locks import Lock
from auth_service.store.schema.tables import signing_keys
from tallystick_service.store import advisory_lock

DESTROYED = b""
"""The value of `private_key` after the private half was destroyed."""


@dataclass(frozen=True)
class StoredKey:
    """A key is published from `published_at` on. Of one alg, the newest with `signs_from` ≤ now signs; its predecessor
    stays published for `keep_published` more seconds, the longest time for which a token that it signed is valid.
    `private_key` is encrypted PKCS#8 DER, or DESTROYED."""

    kid: str
    alg: str
    public_jwk: dict[str, Any]
    private_key: bytes
    published_at: int
    signs_from: int
    keep_published: int
    withdrawn_at: int | None

    @property
    def can_sign(self) -> bool:
        return self.withdrawn_at is None and self.private_key != DESTROYED

    @property
    def was_withdrawn_before_use(self) -> bool:
        return self.withdrawn_at is not None and self.withdrawn_at < self.signs_from


def load_all(connection: Connection) -> list[StoredKey]:
    """Oldest first."""
    rows = connection.execute(select(signing_keys).order_by(signing_keys.c.signs_from, signing_keys.c.kid))
    return [
        StoredKey(
            row.kid,
            row.alg,
            row.public_jwk,
            bytes(row.private_key),
            row.published_at,
            row.signs_from,
            row.keep_published,
            row.withdrawn_at,
        )
        for row in rows
    ]


def add(connection: Connection, key: StoredKey, *, expected_secrets: Secrets, after: str | None = None) -> bool:
    """Publish a key, unless another one of its alg is published and does not sign yet. Returns whether it was added.

    `after` is the kid that must be the newest of its alg. Of several processes that add a successor to one key, the
    first one does, however much their clocks differ. Raises SecretsChanged.
    """
    advisory_lock(connection, Lock.SIGNING_KEYS)  # because a missing row cannot be locked
    newest = connection.execute(
        select(signing_keys.c.kid, signing_keys.c.signs_from)
        .where(signing_keys.c.alg == key.alg, signing_keys.c.withdrawn_at.is_(None))
        .order_by(signing_keys.c.signs_from.desc(), signing_keys.c.kid.desc())
        .limit(1)
    ).one_or_none()
    if newest is not None and newest.signs_from > key.published_at:
        return False
    if after is not None and (newest is None or newest.kid != after):
        return False
    _insert(connection, key, expected_secrets)
    return True


def add_first(connection: Connection, key: StoredKey, *, expected_secrets: Secrets) -> None:
    """Publish a key that signs immediately, unless a key of its alg can sign now or later. Raises SecretsChanged."""
    advisory_lock(connection, Lock.SIGNING_KEYS)
    if not _has_usable_key(load_all(connection), key.alg, now=key.published_at):
        _insert(connection, key, expected_secrets)


def _has_usable_key(rows: list[StoredKey], alg: str, *, now: int) -> bool:
    of_alg = [row for row in rows if row.alg == alg]
    started = [row for row in of_alg if row.signs_from <= now and not row.was_withdrawn_before_use]
    latest = max(started, key=lambda row: (row.signs_from, row.withdrawn_at is None), default=None)
    if latest is None:
        return any(row.can_sign for row in of_alg)
    if latest.withdrawn_at is not None:
        return False  # its predecessor is retired for good and does not sign again
    return any(row.can_sign and row.signs_from >= latest.signs_from for row in of_alg)


def withdraw(connection: Connection, kid: str, replacement: StoredKey, *, now: int, expected_secrets: Secrets) -> bool:
    """Withdraw a key and destroy its private half. `replacement` signs immediately if this key did.

    False when the key does not exist or is withdrawn already. Raises SecretsChanged.
    """
    advisory_lock(connection, Lock.SIGNING_KEYS)
    alg = connection.execute(
        update(signing_keys)
        .where(signing_keys.c.kid == kid, signing_keys.c.withdrawn_at.is_(None))
        .values(withdrawn_at=now, private_key=DESTROYED)
        .returning(signing_keys.c.alg)
    ).scalar_one_or_none()
    if alg is not None:
        audit_trail.record(connection, "key_withdrawn", now=now, detail={"kid": kid, "alg": alg})
    add_first(connection, replacement, expected_secrets=expected_secrets)
    return alg is not None


def extend_publication(connection: Connection, kids: Collection[str], seconds: int) -> None:
    """Keep these keys published for at least so many seconds after their last signature."""
    connection.execute(
        update(signing_keys)
        .where(signing_keys.c.kid.in_(kids), signing_keys.c.keep_published < seconds)
        .values(keep_published=seconds)
    )


def clean_up(connection: Connection, *, to_destroy: Collection[str], to_delete: Collection[str]) -> None:
    """Destroy the private halves of the keys `to_destroy`, and delete the rows of those `to_delete`, by kid."""
    advisory_lock(connection, Lock.SIGNING_KEYS)
    connection.execute(update(signing_keys).where(signing_keys.c.kid.in_(to_destroy)).values(private_key=DESTROYED))
    connection.execute(delete(signing_keys).where(signing_keys.c.kid.in_(to_delete)))


def _insert(connection: Connection, key: StoredKey, expected_secrets: Secrets) -> None:
    check_secrets(connection, expected_secrets)
    connection.execute(
        insert(signing_keys).values(
            kid=key.kid,
            alg=key.alg,
            public_jwk=key.public_jwk,
            private_key=key.private_key,
            published_at=key.published_at,
            signs_from=key.signs_from,
            keep_published=key.keep_published,
        )
    )
    detail: Detail = {"kid": key.kid, "alg": key.alg, "signs_from": key.signs_from}
    audit_trail.record(connection, "key_published", now=key.published_at, detail=detail)
