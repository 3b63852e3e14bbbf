"""Leaky buckets that all processes share. Of each bucket the store keeps only the time at which it will be empty."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, bindparam, case, update

from auth_service.store.schema.tables import rate_limits
from tallystick_service.store import insert_on_conflict, prune

_MAX_SKEW_MS = 60_000
"""How much later than `now` plus the full bucket a stored `empty_at` may lie. A later one was written by a wrong clock
and is cut off, so that it does not keep users out. A smaller bound would let two processes whose clocks differ admit
more attempts than one process. `NonDecreasingClock` keeps the clocks of running processes within ten seconds."""


@dataclass(frozen=True)
class Bucket:
    """`key` is the SHA-256 of what is counted. `burst` attempts are free, then one in `interval_ms` milliseconds.

    A unit of work that charges buckets in several steps charges those of a lower `order` first, so that no two units
    deadlock.
    """

    key: bytes
    burst: int
    interval_ms: int
    order: int = 0


def charge_and_prune(connection: Connection, buckets: Sequence[Bucket], *, now_ms: int) -> int:
    """`charge`, for a unit of work that does nothing else."""
    wait = charge(connection, buckets, now_ms=now_ms)
    prune_empty(connection, now_ms=now_ms)
    return wait


def charge(connection: Connection, buckets: Sequence[Bucket], *, now_ms: int) -> int:
    """Count one attempt in every bucket, or in none if one of them is full.

    Returns 0, or the milliseconds until the fullest bucket has room. A login is charged before its password is
    checked, so that concurrent attempts are all counted. The unit of work ends with `prune_empty`.
    """
    buckets = sorted(buckets, key=_lock_order)
    empty_at = {bucket.key: _add(connection, bucket, now_ms=now_ms) for bucket in buckets}
    wait = max(empty_at[bucket.key] - now_ms - bucket.burst * bucket.interval_ms for bucket in buckets)
    if wait > 0:
        refund(connection, buckets)
        return wait
    return 0


def prune_empty(connection: Connection, *, now_ms: int) -> None:
    """Delete empty buckets. Called last in a unit, because it locks rows in no fixed order."""
    prune(connection, _EMPTY_AT, now=now_ms)


def refund(connection: Connection, buckets: Sequence[Bucket]) -> None:
    """Take back one attempt: its password was right, or was not checked."""
    for bucket in sorted(buckets, key=_lock_order):
        connection.execute(_REFUND, {"key": bucket.key, "interval_ms": bucket.interval_ms})


def _lock_order(bucket: Bucket) -> tuple[int, bytes]:
    """Every unit of work locks the rows in this order. Otherwise two logins could deadlock."""
    return bucket.order, bucket.key


def _add(connection: Connection, bucket: Bucket, *, now_ms: int) -> int:
    """Add one attempt. Returns the new `empty_at`."""
    at_most = now_ms + bucket.burst * bucket.interval_ms + _MAX_SKEW_MS
    given = {"key": bucket.key, "interval_ms": bucket.interval_ms, "now_ms": now_ms, "at_most": at_most}
    return int(connection.execute(_ADD[connection.dialect.name], given).scalar_one())


_EMPTY_AT = rate_limits.c.full_until
_NOW_MS = bindparam("now_ms", type_=BigInteger)
_INTERVAL_MS = bindparam("interval_ms", type_=BigInteger)
_AT_MOST = bindparam("at_most", type_=BigInteger)
_STARTS_AT = case((_EMPTY_AT > _AT_MOST, _AT_MOST), (_EMPTY_AT > _NOW_MS, _EMPTY_AT), else_=_NOW_MS)
_ADD = insert_on_conflict(
    rate_limits,
    lambda insert: (
        insert.values(bucket=bindparam("key"), full_until=_NOW_MS + _INTERVAL_MS)
        .on_conflict_do_update(index_elements=[rate_limits.c.bucket], set_={"full_until": _STARTS_AT + _INTERVAL_MS})
        .returning(_EMPTY_AT)
    ),
)
_REFUND = (
    update(rate_limits).where(rate_limits.c.bucket == bindparam("key")).values(full_until=_EMPTY_AT - _INTERVAL_MS)
)
