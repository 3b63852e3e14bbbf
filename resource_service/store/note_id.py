"""Ids of notes: UUIDs that sort by age and cannot be guessed (RFC 9562 §5.7)."""

import secrets
import time
from uuid import UUID

_NANOSECONDS_PER_MILLISECOND = 1_000_000


def new_note_id() -> UUID:
    """A UUIDv7 with the fraction of the millisecond in `rand_a` (RFC 9562 §6.2, method 3).

    The ids of one process are in order, however fast it creates notes. 62 bits are random.
    """
    milliseconds, rest = divmod(time.time_ns(), _NANOSECONDS_PER_MILLISECOND)
    fraction = (rest << 12) // _NANOSECONDS_PER_MILLISECOND
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62))
