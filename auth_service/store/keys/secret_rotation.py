"""The service's own secrets are replaced, and the old versions destroyed when nothing needs them any more."""

from collections.abc import Collection, Mapping
from itertools import pairwise

from sqlalchemy import Connection, delete, insert, select, tuple_

from auth_service.store.audit import audit_trail
from auth_service.store.keys.keys import Secrets, check_still_beside
from auth_service.store.schema.locks import Lock
from auth_service.store.schema.tables import secrets
from auth_service.store.tokens import refresh_tokens
from tallystick_service.store import advisory_lock

Versions = Collection[tuple[str, int]]
"""Names of secrets, each with a version."""


def replace(
    connection: Connection, anew: Secrets, *, beside: Secrets, destroyed_at_once: Collection[str], now: int
) -> int | None:
    """Add the versions `anew`, encrypted with the master key of those `beside`. Raises Resealed.

    When the old ones are in a thief's hands, `destroyed_at_once` names those of which no old version is kept, and the
    token families end that the old refresh key alone was enough to take over. Returns how many; None without a theft.
    """
    advisory_lock(connection, Lock.SIGNING_KEYS)
    check_still_beside(connection, beside)
    if destroyed_at_once:
        connection.execute(delete(secrets).where(secrets.c.name.in_(destroyed_at_once)))
    for (name, version), secret in anew.items():
        connection.execute(insert(secrets).values(name=name, version=version, secret=secret, added_at=now))
    ended = refresh_tokens.revoke_without_own_secret(connection, now=now) if destroyed_at_once else None
    versions = sorted(f"{name} {version}" for name, version in anew)
    audit_trail.record(connection, "secrets_rotated", now=now, detail={"secrets": versions, "families_ended": ended})
    return ended


def needless(connection: Connection, kept: Mapping[str, int], *, now: int) -> list[tuple[str, int]]:
    """The versions that were replaced longer ago than their name is `kept`, in seconds."""
    rows = connection.execute(
        select(secrets.c.name, secrets.c.version, secrets.c.added_at).order_by(secrets.c.name, secrets.c.version)
    ).all()
    return [
        (row.name, row.version)
        for row, successor in pairwise(rows)
        if row.name == successor.name and row.name in kept and successor.added_at + kept[row.name] <= now
    ]


def destroy(connection: Connection, versions: Versions) -> None:
    advisory_lock(connection, Lock.SIGNING_KEYS)
    connection.execute(delete(secrets).where(tuple_(secrets.c.name, secrets.c.version).in_(versions)))
