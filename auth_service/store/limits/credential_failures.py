"""Failed authentications of clients and of registration tokens: counted, and written to the audit trail."""

from dataclasses import dataclass

from sqlalchemy import Connection

from auth_service.store.audit import audit_limits
from auth_service.store.audit.audit_trail import Event
from auth_service.store.limits import rate_limits
from auth_service.store.limits.rate_limits import Bucket


@dataclass(frozen=True)
class Failure:
    """`client_id` is None for a client that is not registered; `noted` bounds the audit rows."""

    event: Event
    of_network: tuple[Bucket, ...]
    of_client: Bucket
    noted: Bucket
    client_id: str | None
    address: str
    reason: str


def count(connection: Connection, failure: Failure, *, now_ms: int) -> dict[bytes, int]:
    """Count the failure. Returns the buckets that are full: key, and milliseconds until there is room.

    Always in one order, the network first, so that two units cannot each wait for the other's row.
    """
    full: dict[bytes, int] = {}
    for bucket in (*sorted(failure.of_network, key=lambda bucket: bucket.key), failure.of_client):
        wait = rate_limits.charge(connection, [bucket], now_ms=now_ms)
        if wait:
            full[bucket.key] = wait
            break
    audit_limits.record(
        connection,
        failure.event,
        failure.noted,
        now_ms=now_ms,
        client_id=failure.client_id,
        address=failure.address,
        detail={"reason": failure.reason},
    )
    return full
