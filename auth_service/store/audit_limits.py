"""What strangers can cause as often as they like is written to the audit trail so often, and no oftener.

Leaky buckets again: each stranger's own for each kind of event, so that nobody hides one kind behind a storm of
another, and one for all of them together, which holds whatever they hold. Where a row has to be left out, a row tells
so; and then none of its kind for ten minutes.
"""

import hashlib
from dataclasses import replace

from sqlalchemy import Connection

from auth_service.store import audit, guesses
from auth_service.store.audit import Detail, Event
from auth_service.store.guesses import Bucket

_ALL = Bucket(hashlib.sha256(b"audited of all").digest(), burst=10_000, interval_ms=10_000)
"""8,640 rows a day in the long run: less than a million in ninety days."""
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
    """Write the row if there is room in its `own` bucket and in that of all.

    Last in a unit, for the sake of the buckets; and behind whatever else the unit counts, or two could each wait for
    the other.
    """
    now = now_ms // 1000
    if guesses.count(connection, [_of_kind(event, own), _ALL], now_ms=now_ms) == 0:
        audit.record(connection, event, now=now, sub=sub, client_id=client_id, address=address, detail=detail)
    elif guesses.count(connection, [_of_kind(event, _LEFT_OUT)], now_ms=now_ms) == 0:
        audit.record(connection, "left_out", now=now, client_id=client_id, address=address, detail={"event": event})
    guesses.forget_empty(connection, now_ms=now_ms)


def _of_kind(event: Event, bucket: Bucket) -> Bucket:
    return replace(bucket, key=hashlib.sha256(bucket.key + event.encode()).digest())
