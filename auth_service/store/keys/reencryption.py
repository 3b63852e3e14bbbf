"""All that is stored encrypted is replaced in one unit of work when the master key changes."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, update

from auth_service.store.audit import audit_trail
from auth_service.store.keys.signing_keys import DESTROYED, load_all
from auth_service.store.keys.stored_secrets import load_secrets
from auth_service.store.schema.locks import Lock
from auth_service.store.schema.tables import secrets, signing_keys
from tallystick_service.store import advisory_lock


@dataclass(frozen=True)
class Replacement:
    """Two encryptions of one plaintext: the one that was read, and the one to store."""

    old: bytes
    new: bytes


def reencrypt(
    connection: Connection,
    *,
    private_keys: Mapping[str, Replacement],
    all_secrets: Mapping[tuple[str, int], Replacement],
    now: int,
) -> bool:
    """Replace every private key, by kid, and every secret, by name and version.

    False, and nothing is replaced, when a stored value is not the `old` one, or when the store has more values.
    """
    advisory_lock(connection, Lock.SIGNING_KEYS)
    stored_keys = {row.kid: row.private_key for row in load_all(connection) if row.private_key != DESTROYED}
    if stored_keys != {kid: replacement.old for kid, replacement in private_keys.items()}:
        return False
    if load_secrets(connection) != {key: replacement.old for key, replacement in all_secrets.items()}:
        return False
    for kid, replacement in private_keys.items():
        connection.execute(update(signing_keys).where(signing_keys.c.kid == kid).values(private_key=replacement.new))
    for (name, version), replacement in all_secrets.items():
        connection.execute(
            update(secrets).where(secrets.c.name == name, secrets.c.version == version).values(secret=replacement.new)
        )
    count = len(private_keys) + len(all_secrets)
    audit_trail.record(connection, "keys_resealed", now=now, detail={"count": count})
    return True
