"""The advisory locks that units of work take where no row exists yet that they could lock."""

from enum import StrEnum


class Lock(StrEnum):
    """The value names the lock in PostgreSQL. It stays, because two versions may run during an upgrade."""

    APPLY_CONFIGURATION = "apply the declaration"
    REGISTRATIONS = "registrations"
    SIGNING_KEYS = "signing keys"
    STATUS_BLOCKS = "status blocks"
