"""The service's own secrets: each has versions, and old versions are destroyed when no token needs them any more."""

from collections.abc import Collection, Mapping
from itertools import pairwise

from sqlalchemy import Connection, delete, insert, select, tuple_

from auth_service.store.audit import audit_trail
from auth_service.store.schema.locks import Lock
from auth_service.store.schema.tables import secrets
from auth_service.store.tokens import refresh_tokens
from tallystick_service.store import advisory_lock

Secrets = Mapping[tuple[str, int], bytes]
"""Every secret as it is stored, encrypted, by name and version."""


class SecretsChanged(Exception):
    """The stored secrets are not those that the caller has read: they were re-encrypted, replaced, or added."""


def load_secrets(connection: Connection) -> dict[tuple[str, int], bytes]:
    """Every secret, encrypted, by name and version."""
    rows = connection.execute(select(secrets.c.name, secrets.c.version, secrets.c.secret))
    return {(row.name, row.version): bytes(row.secret) for row in rows}


def check_secrets(connection: Connection, expected_secrets: Secrets) -> None:
    """Raises SecretsChanged."""
    if load_secrets(connection) != expected_secrets:
        raise SecretsChanged


def add_first_version(connection: Connection, name: str, secret: bytes, *, expected_secrets: Secrets) -> None:
    """Add version 1, unless the secret has a version already. Raises SecretsChanged."""
    advisory_lock(connection, Lock.SIGNING_KEYS)
    if not any(stored_name == name for stored_name, _ in load_secrets(connection)):
        check_secrets(connection, expected_secrets)
        connection.execute(insert(secrets).values(name=name, version=1, secret=secret))


def add_versions(
    connection: Connection,
    new_versions: Secrets,
    *,
    expected_secrets: Secrets,
    destroy_old: Collection[str],
    now: int,
) -> int | None:
    """Add `new_versions`, encrypted with the master key of the `expected_secrets`. Raises SecretsChanged.

    After a theft, `destroy_old` names the secrets whose old versions are deleted, and token families are revoked whose
    refresh tokens could be computed from the old refresh key alone. Returns how many; None if `destroy_old` is empty.
    """
    advisory_lock(connection, Lock.SIGNING_KEYS)
    check_secrets(connection, expected_secrets)
    if destroy_old:
        connection.execute(delete(secrets).where(secrets.c.name.in_(destroy_old)))
    for (name, version), secret in new_versions.items():
        connection.execute(insert(secrets).values(name=name, version=version, secret=secret, added_at=now))
    revoked = refresh_tokens.revoke_families_without_own_secret(connection, now=now) if destroy_old else None
    versions = sorted(f"{name} {version}" for name, version in new_versions)
    audit_trail.record(connection, "secrets_rotated", now=now, detail={"secrets": versions, "families_ended": revoked})
    return revoked


def expired_versions(connection: Connection, kept: Mapping[str, int], *, now: int) -> list[tuple[str, int]]:
    """Name and version of each secret that was replaced at least `kept[name]` seconds ago."""
    rows = connection.execute(
        select(secrets.c.name, secrets.c.version, secrets.c.added_at).order_by(secrets.c.name, secrets.c.version)
    ).all()
    return [
        (row.name, row.version)
        for row, successor in pairwise(rows)
        if row.name == successor.name and row.name in kept and successor.added_at + kept[row.name] <= now
    ]


def destroy_versions(connection: Connection, versions: Collection[tuple[str, int]]) -> None:
    """`versions` are names of secrets, each with a version."""
    advisory_lock(connection, Lock.SIGNING_KEYS)
    connection.execute(delete(secrets).where(tuple_(secrets.c.name, secrets.c.version).in_(versions)))
