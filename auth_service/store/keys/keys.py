"""Signing keys and the service's own secrets, encrypted before they come here.

What is added must have been sealed with the master key of what lies here already. Nobody can see that in SQL, but when
another master key comes, all `Secrets` are written anew at once: a unit that finds them as its caller did, as
`beside`, knows that the caller's master key is still the one. Otherwise it raises Resealed, and nothing was added.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from auth_service.store.audit import audit_trail
from auth_service.store.audit.audit_trail import Detail
from auth_service.store.schema.locks import Lock
from auth_service.store.schema.tables import secrets, signing_keys
from tallystick_service.store import advisory_lock

Secrets = Mapping[tuple[str, int], bytes]
"""Every secret as it is stored, encrypted, by name and version."""

DESTROYED = b""
"""What is left of a private key that nobody needs any more."""


class Resealed(Exception):
    """Since the caller looked, what is stored was encrypted with another master key, or is there for the first time."""


@dataclass(frozen=True)
class StoredKey:
    """`private_key` is encrypted PKCS#8 DER, or DESTROYED. A key is published from `published_at`; of one alg, the
    newest with `signs_from` ≤ now signs, and its predecessor is retired: published for `keep_published` more seconds,
    the longest that anybody believes what it signed."""

    kid: str
    alg: str
    public_jwk: dict[str, Any]
    private_key: bytes
    published_at: int
    signs_from: int
    keep_published: int
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
            row.keep_published,
            row.withdrawn_at,
        )
        for row in rows
    ]


def add(connection: Connection, key: StoredKey, *, beside: Secrets, after: str | None = None) -> bool:
    """Publish a key, unless one of its alg waits already to sign; says whether it was added.

    `after` is the kid that must be the newest of its alg, so that of several who saw it in need of a successor one is
    heard, however much their clocks differ. Raises Resealed.
    """
    advisory_lock(connection, Lock.SIGNING_KEYS)  # a row lock does not lock a row that does not exist yet
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
    _insert(connection, key, beside)
    return True


def add_first(connection: Connection, key: StoredKey, *, beside: Secrets) -> None:
    """Publish a key that signs at once, unless one of its alg does, or will for want of another. Raises Resealed."""
    advisory_lock(connection, Lock.SIGNING_KEYS)
    had_its_turn = or_(signing_keys.c.withdrawn_at.is_(None), signing_keys.c.withdrawn_at >= signing_keys.c.signs_from)
    newest = (
        select(signing_keys.c.withdrawn_at)
        .where(signing_keys.c.alg == key.alg, signing_keys.c.signs_from <= key.published_at, had_its_turn)
        .order_by(signing_keys.c.signs_from.desc(), signing_keys.c.withdrawn_at.is_(None).desc())
        .limit(1)
    )
    of_its_alg = (signing_keys.c.alg == key.alg, signing_keys.c.withdrawn_at.is_(None))
    retired = select(func.max(signing_keys.c.signs_from)).where(
        signing_keys.c.alg == key.alg, signing_keys.c.signs_from <= key.published_at, had_its_turn
    )
    can_sign = (
        signing_keys.c.private_key != DESTROYED,
        signing_keys.c.signs_from >= func.coalesce(retired.scalar_subquery(), 0),
    )
    row = connection.execute(newest).one_or_none()
    # When the newest was withdrawn, its predecessor does not come back: it was retired for good.
    is_withdrawn = row is not None and row.withdrawn_at is not None
    if is_withdrawn or not connection.execute(select(exists().where(*of_its_alg, *can_sign))).scalar_one():
        _insert(connection, key, beside)


def withdraw(connection: Connection, kid: str, replacement: StoredKey, *, now: int, beside: Secrets) -> bool:
    """Never again publish, sign with or believe this key, whose private half is destroyed; `replacement` signs at once
    if this one did.

    False when there is no such key, or it was withdrawn before. Raises Resealed.
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
    add_first(connection, replacement, beside=beside)
    return alg is not None


def keep_longer(connection: Connection, kids: Collection[str], seconds: int) -> None:
    """These keys stay published for at least so long after their last signature."""
    connection.execute(
        update(signing_keys)
        .where(signing_keys.c.kid.in_(kids), signing_keys.c.keep_published < seconds)
        .values(keep_published=seconds)
    )


def tidy(connection: Connection, *, spent: Collection[str], forgotten: Collection[str]) -> None:
    """Destroy the private halves of the `spent` keys, and drop the `forgotten` ones altogether."""
    advisory_lock(connection, Lock.SIGNING_KEYS)
    connection.execute(update(signing_keys).where(signing_keys.c.kid.in_(spent)).values(private_key=DESTROYED))
    connection.execute(delete(signing_keys).where(signing_keys.c.kid.in_(forgotten)))


def load_every_secret(connection: Connection) -> dict[tuple[str, int], bytes]:
    """What is stored encrypted besides the signing keys, by name and version."""
    rows = connection.execute(select(secrets.c.name, secrets.c.version, secrets.c.secret))
    return {(row.name, row.version): bytes(row.secret) for row in rows}


def add_first_secret(connection: Connection, name: str, secret: bytes, *, beside: Secrets) -> None:
    """Version 1, unless there is a version already. Raises Resealed."""
    advisory_lock(connection, Lock.SIGNING_KEYS)
    if not any(its == name for its, _ in load_every_secret(connection)):
        check_still_beside(connection, beside)
        connection.execute(insert(secrets).values(name=name, version=1, secret=secret))


def reseal(
    connection: Connection,
    *,
    signing: Mapping[str, tuple[bytes, bytes]],
    secret: Mapping[tuple[str, int], tuple[bytes, bytes]],
    now: int,
) -> bool:
    """Put the second for the first, which was read before, in the place of each: private keys by kid, and secrets.

    All of them, or none and False when anything is no longer as it was read, or there is more.
    """
    advisory_lock(connection, Lock.SIGNING_KEYS)
    private_keys = {row.kid: row.private_key for row in load_all(connection) if row.private_key != DESTROYED}
    if private_keys != {kid: was for kid, (was, _) in signing.items()}:
        return False
    if load_every_secret(connection) != {key: was for key, (was, _) in secret.items()}:
        return False
    for kid, (_, becomes) in signing.items():
        connection.execute(update(signing_keys).where(signing_keys.c.kid == kid).values(private_key=becomes))
    for (name, version), (_, becomes) in secret.items():
        connection.execute(
            update(secrets).where(secrets.c.name == name, secrets.c.version == version).values(secret=becomes)
        )
    audit_trail.record(connection, "keys_resealed", now=now, detail={"count": len(signing) + len(secret)})
    return True


def _insert(connection: Connection, key: StoredKey, beside: Secrets) -> None:
    check_still_beside(connection, beside)
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


def check_still_beside(connection: Connection, beside: Secrets) -> None:
    """Raises Resealed."""
    if load_every_secret(connection) != beside:
        raise Resealed
