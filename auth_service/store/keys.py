"""Signing keys and the service's own secrets, encrypted before they come here."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from auth_service.store.tables import secrets, signing_keys


@dataclass(frozen=True)
class StoredKey:
    """`private_key` is encrypted PKCS#8 DER. Published from `published_at`; of one alg, the newest with `signs_from` ≤ now signs."""

    kid: str
    alg: str
    public_jwk: dict[str, Any]
    private_key: bytes
    published_at: int
    signs_from: int
    withdrawn_at: int | None


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
            row.withdrawn_at,
        )
        for row in rows
    ]


def add(connection: Connection, key: StoredKey) -> bool:
    """Publish a key, unless one of its alg waits already to sign; says whether it was added."""
    _lock(connection)
    waiting = connection.execute(
        select(signing_keys.c.kid).where(
            signing_keys.c.alg == key.alg,
            signing_keys.c.withdrawn_at.is_(None),
            signing_keys.c.signs_from > key.published_at,
        )
    ).first()
    if waiting is not None:
        return False
    _insert(connection, key)
    return True


def add_first(connection: Connection, key: StoredKey) -> None:
    """Publish a key that signs at once, because there is no other of its alg."""
    _lock(connection)
    usable = select(signing_keys.c.kid).where(
        signing_keys.c.alg == key.alg,
        signing_keys.c.withdrawn_at.is_(None),
        signing_keys.c.signs_from <= key.published_at,
    )
    if connection.execute(usable).first() is None:
        _insert(connection, key)


def withdraw(connection: Connection, kid: str, *, now: int) -> bool:
    """Never again publish, sign with or believe this key; False when there is no such key."""
    found = connection.execute(
        update(signing_keys)
        .where(signing_keys.c.kid == kid, signing_keys.c.withdrawn_at.is_(None))
        .values(withdrawn_at=now)
    )
    return found.rowcount > 0


def load_secrets(connection: Connection, name: str) -> dict[int, bytes]:
    """All versions of an encrypted secret, by version."""
    rows = connection.execute(select(secrets.c.version, secrets.c.secret).where(secrets.c.name == name))
    return {row.version: bytes(row.secret) for row in rows}


def add_first_secret(connection: Connection, name: str, secret: bytes) -> None:
    """Version 1, unless there is one already."""
    _lock(connection)
    if not load_secrets(connection, name):
        connection.execute(insert(secrets).values(name=name, version=1, secret=secret))


def _insert(connection: Connection, key: StoredKey) -> None:
    connection.execute(
        insert(signing_keys).values(
            kid=key.kid,
            alg=key.alg,
            public_jwk=key.public_jwk,
            private_key=key.private_key,
            published_at=key.published_at,
            signs_from=key.signs_from,
        )
    )


def _lock(connection: Connection) -> None:
    """One at a time: what is looked for here is often a row that is not there, which no row lock covers."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7411)")
