"""Failed authentication of clients and of registration tokens: counted, and written to the audit trail."""

from dataclasses import dataclass

from sqlalchemy import Connection

from auth_service.store.audit import audit_limits
from auth_service.store.audit.audit_trail import Event
from auth_service.store.limits import rate_limits
from auth_service.store.limits.rate_limits import Bucket


@dataclass(frozen=True)
class CredentialFailure:
    """`client_id` is None for a client that is not registered. `audit_limit` bounds the audit rows."""

    event: Event
    network_buckets: tuple[Bucket, ...]
    client_bucket: Bucket
    audit_limit: Bucket
    client_id: str | None
    address: str
    reason: str


def count_failure(connection: Connection, failure: CredentialFailure, *, now_ms: int) -> dict[bytes, int]:
    """Count the failure. Returns the full buckets: the key, and the milliseconds until there is room.

    The buckets are always locked in one order, the networks first, so that two units of work cannot deadlock.
    """
    full: dict[bytes, int] = {}
    for bucket in (*sorted(failure.network_buckets, key=lambda bucket: bucket.key), failure.client_bucket):
        wait_ms = rate_limits.charge(connection, [bucket], now_ms=now_ms)
        if wait_ms:
            full[bucket.key] = wait_ms
            break
    audit_limits.record(
        connection,
        failure.event,
        failure.audit_limit,
        now_ms=now_ms,
        client_id=failure.client_id,
        address=failure.address,
        detail={"reason": failure.reason},
    )
    return full
