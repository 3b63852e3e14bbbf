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
from auth_service.store.limits.credential_failures import Failure
from auth_service.store.limits.rate_limits import Bucket
from tallystick.clock import Clock
from tallystick.errors import InvalidClient, TooManyRequests
from tallystick.refusal_reasons import Reason
from tallystick_service.store import Store

Kind = Literal["client_authentication_failed", "registration_refused"]
"""The audit event of the failure; each kind has buckets of its own."""

MAX_REMEMBERED = 10_000
"""Buckets that this process remembers as full. The oldest goes first; the store then says so again."""


class AuthenticationFailed(InvalidClient):
    """`named` is the client_id of the request, as sent and therefore not to be logged; `client_id` is the registered
    one, or None."""

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
    """Counts failures in the store, which all processes share. A success costs nothing here.

    A bucket that the store has reported as full is remembered until it has room, so a caller over the limit costs no
    store access either.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._full_until: OrderedDict[bytes, int] = OrderedDict()

    async def count(
        self, kind: Kind, *, named: str, address: str, reason: Reason, client_id: str | None = None
    ) -> None:
        """Count one failure and write it to the audit trail.

        `named` is the client_id of the request; unknown ones are counted like registered ones, so the answer does not
        tell which exist. Raises TooManyRequests over the limit, StoreUnavailable when the store is away.
        """
        network = network_of(address)
        of_network = tuple(
            bucket(f"{kind} of a network", part, burst=100, interval=1) for part in {network, site_of(address)}
        )
        of_client = bucket(f"{kind} of a client", named, network, burst=60, interval=10)
        now_ms = self._clock() * 1000
        self._refuse(self._remembered((*of_network, of_client), now_ms))
        waits = await self._store.write(
            credential_failures.count,
            Failure(
                event=kind,
                of_network=of_network,
                of_client=of_client,
                noted=bucket(f"audited {kind}", client_id or "", network, burst=20, interval=60),
                client_id=client_id,
                address=address,
                reason=reason,
            ),
            now_ms=now_ms,
        )
        for key, wait in waits.items():
            self._full_until[key] = now_ms + wait
            self._full_until.move_to_end(key)
        while len(self._full_until) > MAX_REMEMBERED:
            self._full_until.popitem(last=False)
        self._refuse(max(waits.values(), default=0))

    def _remembered(self, buckets: tuple[Bucket, ...], now_ms: int) -> int:
        """Milliseconds until all of `buckets` have room, as far as this process knows."""
        return max(self._waits(buckets, now_ms), default=0)

    def _waits(self, buckets: tuple[Bucket, ...], now_ms: int) -> Iterator[int]:
        for one in buckets:
            until = self._full_until.get(one.key, now_ms)
            if until > now_ms:
                yield until - now_ms
            else:
                self._full_until.pop(one.key, None)

    def _refuse(self, wait_ms: int) -> None:
        if wait_ms:
            raise TooManyRequests(
                "too many failed attempts from this address",
                retry_after=math.ceil(wait_ms / 1000),
                reason="too_many_failures",
            )
