"""How many passwords were tried, as leaky buckets of which only the instant of emptiness is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, bindparam, case, update

from auth_service.store.schema.tables import guesses
from tallystick_service.store import insert_on_conflict, prune

_MOST_SKEW_MS = 60_000
"""How much later than any of our clocks allows a bucket may be empty; beyond that a clock was wrong, and shall not lock
anybody out for as long. Less, and two processes whose clocks differ would let more tries through than one; those that
live come within ten seconds of each other (`SteadyClock`)."""


@dataclass(frozen=True)
class Bucket:
    """`key` is a SHA-256 of what is counted. `burst` tries are free, then one in `interval_ms`.

    A unit that counts in several steps counts buckets of a lower `order` first, so that no two units deadlock.
    """

    key: bytes
    burst: int
    interval_ms: int
    order: int = 0


def charge(connection: Connection, buckets: Sequence[Bucket], *, now_ms: int) -> int:
    """Count one try in every bucket, or in none: returns 0, or the milliseconds until the fullest of them has room.

    Counted before the password is looked at, so that a thousand tries at the same instant are a thousand.
    """
    wait = count(connection, buckets, now_ms=now_ms)
    forget_empty(connection, now_ms=now_ms)
    return wait


def count(connection: Connection, buckets: Sequence[Bucket], *, now_ms: int) -> int:
    """As `charge`, for a unit that has more to do; the last thing it does is `forget_empty`."""
    buckets = sorted(buckets, key=_lock_order)
    full_until = {bucket.key: _add(connection, bucket, now_ms=now_ms) for bucket in buckets}
    wait = max(full_until[bucket.key] - now_ms - bucket.burst * bucket.interval_ms for bucket in buckets)
    if wait > 0:
        refund(connection, buckets)
        return wait
    return 0


def forget_empty(connection: Connection, *, now_ms: int) -> None:
    """Last in a unit: it locks what it deletes in no order, so nothing may be waited for behind it."""
    prune(connection, guesses.c.full_until, now=now_ms)


def refund(connection: Connection, buckets: Sequence[Bucket]) -> None:
    """Take one try back: the password was right, or was never looked at."""
    for bucket in sorted(buckets, key=_lock_order):
        connection.execute(_REFUND, {"key": bucket.key, "interval_ms": bucket.interval_ms})


def _lock_order(bucket: Bucket) -> tuple[int, bytes]:
    """Every unit locks the rows in this order, or two logins could each wait for the other's row."""
    return bucket.order, bucket.key


def _add(connection: Connection, bucket: Bucket, *, now_ms: int) -> int:
    at_most = now_ms + bucket.burst * bucket.interval_ms + _MOST_SKEW_MS
    given = {"key": bucket.key, "interval_ms": bucket.interval_ms, "now_ms": now_ms, "at_most": at_most}
    return int(connection.execute(_ADD[connection.dialect.name], given).scalar_one())


_NOW_MS = bindparam("now_ms", type_=BigInteger)
_INTERVAL_MS = bindparam("interval_ms", type_=BigInteger)
_AT_MOST = bindparam("at_most", type_=BigInteger)
_BEGINS = case(
    (guesses.c.full_until > _AT_MOST, _AT_MOST),  # by a clock that was far ahead
    (guesses.c.full_until > _NOW_MS, guesses.c.full_until),
    else_=_NOW_MS,
)
_ADD = insert_on_conflict(
    guesses,
    lambda insert: (
        insert.values(bucket=bindparam("key"), full_until=_NOW_MS + _INTERVAL_MS)
        .on_conflict_do_update(index_elements=[guesses.c.bucket], set_={"full_until": _BEGINS + _INTERVAL_MS})
        .returning(guesses.c.full_until)
    ),
)
_REFUND = (
    update(guesses).where(guesses.c.bucket == bindparam("key")).values(full_until=guesses.c.full_until - _INTERVAL_MS)
)
