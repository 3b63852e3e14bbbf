"""Limits on audit rows that unauthenticated callers can trigger.

Each kind of event has its own leaky buckets, so that a flood of one kind does not suppress the others: one bucket per
caller, and one for all callers together. When a row is left out, a row `left_out` is written, at most once in ten
minutes for each kind.
"""

import hashlib
from dataclasses import replace

from sqlalchemy import Connection

from auth_service.store.audit import audit_trail
from auth_service.store.audit.audit_trail import Detail, Event
from auth_service.store.limits import rate_limits
from auth_service.store.limits.rate_limits import Bucket

_ALL = Bucket(hashlib.sha256(b"audited of all").digest(), burst=10_000, interval_ms=10_000)
"""Permanently at most 8,640 rows a day for each kind of event, which is less than a million in ninety days."""
_LEFT_OUT = Bucket(hashlib.sha256(b"audited as left out").digest(), burst=1, interval_ms=600_000)


def record(
    connection: Connection,
    event: Event,
    own: Bucket,
    *,
    now_ms: int,
    sub: str | None = None,
    client_id: str | None = None,
    address: str | None = None,
    detail: Detail | None = None,
) -> None:
    """Record the event if its `own` bucket and the bucket of all callers have room.

    Call this last in a unit: it locks rows of buckets, and after everything else that the unit counts, so that two
    units lock them in the same order.
    """
    now = now_ms // 1000
    if rate_limits.charge(connection, [_of_kind(event, own), _of_kind(event, _ALL)], now_ms=now_ms) == 0:
        audit_trail.record(connection, event, now=now, sub=sub, client_id=client_id, address=address, detail=detail)
    elif rate_limits.charge(connection, [_of_kind(event, _LEFT_OUT)], now_ms=now_ms) == 0:
        audit_trail.record(
            connection, "left_out", now=now, client_id=client_id, address=address, detail={"event": event}
        )
    rate_limits.prune_empty(connection, now_ms=now_ms)


def _of_kind(event: Event, bucket: Bucket) -> Bucket:
    return replace(bucket, key=hashlib.sha256(bucket.key + event.encode()).digest())
