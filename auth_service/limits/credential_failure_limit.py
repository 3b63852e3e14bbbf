"""A rate limit on failed client authentication (RFC 6749 §2.3.1) that cannot lock a client out.

Leaky buckets, counted only when authentication has failed:

    a client_id from one address (IPv6: its /64)      60 free, then one every 10 seconds
    an address (IPv6: its /64, and its /48)           100 free, then one a second

A caller over the limit gets 429 for further failures. The right secret is always accepted: it has at least 32
characters, so guessing is hopeless at any rate, and a limit on it would let an attacker behind the same address (a
NAT, a proxy, a cluster) lock the client out. The limit bounds the work of failures: writes, audit rows, log lines.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from typing import Literal

from auth_service.limits.buckets import bucket, network_of, site_of
from auth_service.store.limits import credential_failures
from auth_service.store.limits.credential_failures import CredentialFailure
from auth_service.store.limits.rate_limits import Bucket
from tallystick.clock import Clock
from tallystick.errors import InvalidClient, TooManyRequests
from tallystick.refusal_reasons import Reason
from tallystick_service.store import Store

Kind = Literal["client_authentication_failed", "registration_refused"]
"""The audit event of the failure. Each kind has its own buckets."""

MAX_CACHED = 10_000
"""Full buckets that this process remembers. The oldest is forgotten first, and then read from the store again."""


class AuthenticationFailed(InvalidClient):
    """`named` is the client_id of the request. It is not logged, because any caller can choose it. `client_id` is that
    of a registered client, or None."""

    def __init__(
        self,
        reason: Reason,
        *,
        named: str = "",
        client_id: str | None = None,
        description: str = "client authentication failed",
    ) -> None:
        super().__init__(description, reason=reason)
        self.named = named
        self.client_id = client_id


class CredentialFailureLimit:
    """Counts failures in the store, which all processes share. Successful authentication costs nothing here.

    A bucket that the store has reported as full is remembered until it has room, so a caller over the limit costs no
    store access either.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._full_until_ms: OrderedDict[bytes, int] = OrderedDict()

    async def count(
        self, kind: Kind, *, named: str, address: str, reason: Reason, client_id: str | None = None
    ) -> None:
        """Count one failure and write it to the audit trail.

        `named` is the client_id of the request. Unknown clients are counted like registered ones, so that the response
        does not tell which exist. Raises TooManyRequests over the limit, StoreUnavailable if the store is unavailable.
        """
        network = network_of(address)
        network_buckets = tuple(
            bucket(f"{kind} of a network", part, burst=100, interval=1) for part in {network, site_of(address)}
        )
        client_bucket = bucket(f"{kind} of a client", named, network, burst=60, interval=10)
        now_ms = self._clock() * 1000
        self._refuse_for(max(self._cached_waits((*network_buckets, client_bucket), now_ms), default=0))
        waits = await self._store.write(
            credential_failures.count_failure,
            CredentialFailure(
                event=kind,
                network_buckets=network_buckets,
                client_bucket=client_bucket,
                audit_limit=bucket(f"audited {kind}", client_id or "", network, burst=20, interval=60),
                client_id=client_id,
                address=address,
                reason=reason,
            ),
            now_ms=now_ms,
        )
        for key, wait_ms in waits.items():
            self._full_until_ms[key] = now_ms + wait_ms
            self._full_until_ms.move_to_end(key)
        while len(self._full_until_ms) > MAX_CACHED:
            self._full_until_ms.popitem(last=False)
        self._refuse_for(max(waits.values(), default=0))

    def _cached_waits(self, buckets: tuple[Bucket, ...], now_ms: int) -> Iterator[int]:
        """Milliseconds until each bucket that this process knows to be full has room."""
        for one in buckets:
            until = self._full_until_ms.get(one.key, now_ms)
            if until > now_ms:
                yield until - now_ms
            else:
                self._full_until_ms.pop(one.key, None)

    def _refuse_for(self, wait_ms: int) -> None:
        if wait_ms:
            raise TooManyRequests(
                "too many failed attempts from this address",
                retry_after=math.ceil(wait_ms / 1000),
                reason="too_many_failures",
            )
