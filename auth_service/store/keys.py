"""Signing keys and the service's own secrets, encrypted before they come here."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from auth_service.store import audit
from auth_service.store.audit import Detail
from auth_service.store.tables import secrets, signing_keys
from tallystick.store import take_turns


@dataclass(frozen=True)
class StoredKey:
    """`private_key` is encrypted PKCS#8 DER. A key is published from `published_at`; of one alg, the newest with
    `signs_from` ≤ now signs, and its predecessor is retired."""

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
    take_turns(connection, "signing keys")  # what is looked for is often a row that is not there, which nothing locks
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
    """Publish a key that signs at once, unless one of its alg signs already."""
    take_turns(connection, "signing keys")
    had_its_turn = or_(signing_keys.c.withdrawn_at.is_(None), signing_keys.c.withdrawn_at >= signing_keys.c.signs_from)
    newest = (
        select(signing_keys.c.withdrawn_at)
        .where(signing_keys.c.alg == key.alg, signing_keys.c.signs_from <= key.published_at, had_its_turn)
        .order_by(signing_keys.c.signs_from.desc(), signing_keys.c.withdrawn_at.is_(None).desc())
        .limit(1)
    )
    row = connection.execute(newest).one_or_none()
    # When the newest was withdrawn, its predecessor does not come back: it was retired for good.
    if row is None or row.withdrawn_at is not None:
        _insert(connection, key)


def withdraw(connection: Connection, kid: str, replacement: StoredKey, *, now: int) -> bool:
    """Never again publish, sign with or believe this key; `replacement` signs at once if this one did.

    False when there is no such key, or it was withdrawn before.
    """
    take_turns(connection, "signing keys")
    found = connection.execute(
        update(signing_keys)
        .where(signing_keys.c.kid == kid, signing_keys.c.withdrawn_at.is_(None))
        .values(withdrawn_at=now)
    )
    if found.rowcount > 0:
        audit.record(connection, "key_withdrawn", now=now, detail={"kid": kid})
    add_first(connection, replacement)
    return found.rowcount > 0


def load_secrets(connection: Connection, name: str) -> dict[int, bytes]:
    """All versions of an encrypted secret, by version."""
    rows = connection.execute(select(secrets.c.version, secrets.c.secret).where(secrets.c.name == name))
    return {row.version: bytes(row.secret) for row in rows}


def add_first_secret(connection: Connection, name: str, secret: bytes) -> None:
    """Version 1, unless there is one already."""
    take_turns(connection, "secrets")
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
    detail: Detail = {"kid": key.kid, "alg": key.alg, "signs_from": key.signs_from}
    audit.record(connection, "key_published", now=key.published_at, detail=detail)
