"""The background task of each process that delivers logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.5–2.8).

The deliveries are rows of the store, so they survive a restart, and any process sends them. A slow client delays
neither the person who signs out nor the deliveries to other clients.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from auth_service.backchannel_logout.logout_token import TYP, logout_token_claims
from auth_service.clients.registry import ClientRegistry
from auth_service.keys.key_ring import KeyRing
from auth_service.outgoing import OutgoingFailed, OutgoingRequests
from auth_service.store.clients.clients import REGISTRATION, Client
from auth_service.store.logout import logout_deliveries
from auth_service.store.logout.logout_deliveries import Delivery, DueClient, Queue
from auth_service.telemetry.metrics import AuthMetrics
from tallystick import jwt
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.request_id import own_request_id
from tallystick_service.store import Store
from tallystick_service.tasks.background_task import background_task

_log = logging.getLogger(__name__)

_POLL_INTERVAL = 1.0
"""Seconds until this process sees deliveries that another one enqueued. Its own it sees at once (`wake`)."""
_MIN_INTERVAL = 0.05
"""Seconds between two reads of the queue. A read costs more the more clients have deliveries, and every attempt that
ends asks for one."""
_RETRY_INTERVAL = 3.0
"""Seconds until the next read after the store was unavailable."""

_MAX_ATTEMPTS = 12
"""Concurrent attempts to clients of one kind, declared or self-registered. There are fewer than connections for the
kind, which other requests need, too."""
_MAX_ATTEMPTS_TO_FAILING = 6
"""Of these, the attempts to clients whose last attempt failed, together."""
_MAX_ATTEMPTS_PER_CLIENT = 2
_PAUSE_AFTER_FAILURE = 1
"""Seconds without an attempt to a client after one has failed, however many deliveries it has; then one is tried."""

_TEMPORARY_STATUSES = {408, 425, 429}
"""The 4xx statuses that mean "not now" rather than "never"."""


@dataclass(frozen=True)
class _Attempt:
    delivery: Delivery
    is_to_failing: bool
    is_to_self_registered: bool


class LogoutDeliveryTask:
    """Delivers within `running()`. `wake()` it after a login session was ended."""

    def __init__(
        self,
        *,
        issuer: str,
        store: Store,
        registry: ClientRegistry,
        key_ring: KeyRing,
        outgoing: OutgoingRequests,
        metrics: AuthMetrics,
        clock: Clock,
    ) -> None:
        self._issuer = issuer
        self._store = store
        self._registry = registry
        self._key_ring = key_ring
        self._outgoing = outgoing
        self._metrics = metrics
        self._clock = clock
        self._woken = asyncio.Event()
        self._attempts: dict[asyncio.Task[None], _Attempt] = {}
        self._failing: dict[str, int] = {}
        """The clients whose last attempt failed, with the time (Unix seconds) from which one more is tried."""

    def wake(self) -> None:
        """There may be something to deliver."""
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with background_task(self._run()):
                yield
        finally:
            await self._cancel_attempts()

    async def _cancel_attempts(self) -> None:
        cancelled = dict(self._attempts)
        for task in cancelled:
            task.cancel()
        if cancelled:
            await asyncio.wait(cancelled)
            deliveries = [attempt.delivery for attempt in cancelled.values()]
            with suppress(TemporarilyUnavailable):  # then their lease runs out
                await self._store.write(logout_deliveries.release_deliveries, deliveries, now=self._clock())

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._begin_due_attempts()
            except TemporarilyUnavailable:
                await asyncio.sleep(_RETRY_INTERVAL)
            except Exception:
                _log.exception("could not look for logout tokens to send")
                await asyncio.sleep(_RETRY_INTERVAL)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_INTERVAL):  # wait_for() before Python 3.12 may lose a cancellation
                        await self._woken.wait()
                        await asyncio.sleep(_MIN_INTERVAL)

    async def _begin_due_attempts(self) -> None:
        now = self._clock()
        queue = await self._store.read(logout_deliveries.read_queue, now=now)
        self._metrics.logout_tokens_waiting.set(queue.deliveries)
        self._failing = {name: at for name, at in self._failing.items() if name in queue.clients}
        if queue.has_expired:
            given_up = await self._store.write(logout_deliveries.give_up_deliveries, now=now)
            self._metrics.logout_tokens.inc("given_up", by=len(given_up))
            for client_id in sorted(set(given_up)):
                _log.warning("gave up %d logout tokens for client %s", given_up.count(client_id), client_id)
            self.wake()  # there may be more
        if chosen := dict(self._choose(queue, now=now)):
            self_registered = {client.client_id for client in queue.due if client.origin == REGISTRATION}
            for delivery in await self._store.write(logout_deliveries.take_due_deliveries, chosen, now=now):
                self._begin(delivery, is_to_self_registered=delivery.client_id in self_registered)

    def _choose(self, queue: Queue, *, now: int) -> Iterator[tuple[str, int]]:
        """How many deliveries to begin, by client: first clients that do not fail, then by the time they are due."""
        attempts = list(self._attempts.values())
        of_client = Counter(attempt.delivery.client_id for attempt in attempts)
        of_kind = Counter(attempt.is_to_self_registered for attempt in attempts)
        to_failing = Counter(attempt.is_to_self_registered for attempt in attempts if attempt.is_to_failing)

        def order(client: DueClient) -> tuple[bool, int]:
            return client.client_id in self._failing, client.due_since

        for client in sorted(queue.due, key=order):
            kind = client.origin == REGISTRATION
            room = min(_MAX_ATTEMPTS - of_kind[kind], _MAX_ATTEMPTS_PER_CLIENT - of_client[client.client_id])
            if (paused_until := self._failing.get(client.client_id)) is not None:
                if now < paused_until or of_client[client.client_id]:
                    continue
                room = min(room, 1, _MAX_ATTEMPTS_TO_FAILING - to_failing[kind])
                to_failing[kind] += 1
            if room > 0:
                of_kind[kind] += room
                yield client.client_id, room

    def _begin(self, delivery: Delivery, *, is_to_self_registered: bool) -> None:
        task = asyncio.create_task(self._attempt(delivery))
        self._attempts[task] = _Attempt(delivery, delivery.client_id in self._failing, is_to_self_registered)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._attempts[task]
        self.wake()  # there is room for another attempt
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not isinstance(failure, TemporarilyUnavailable):  # which the store has logged
            _log.error("an attempt to deliver a logout token broke down", exc_info=failure)

    async def _attempt(self, delivery: Delivery) -> None:
        with own_request_id():
            await self._deliver(delivery)

    async def _deliver(self, delivery: Delivery) -> None:
        client = await self._registry.client(delivery.client_id)
        if client is None or client.backchannel_logout_uri is None:
            await self._store.write(logout_deliveries.drop_deliveries, delivery.client_id)
            return
        status, reason = await self._send(delivery, client, client.backchannel_logout_uri)
        if 200 <= status < 300:
            self._metrics.logout_tokens.inc("taken")
            if self._failing.pop(client.client_id, None) is not None:
                _log.info("client %s takes logout tokens again", client.client_id)
            await self._store.write(logout_deliveries.remove_delivery, delivery.delivery_id)
        elif 400 <= status < 500 and status not in _TEMPORARY_STATUSES:
            self._metrics.logout_tokens.inc("refused")
            _log.warning("client %s refused a logout token with status %d", client.client_id, status)
            await self._store.write(logout_deliveries.remove_delivery, delivery.delivery_id)
        else:
            self._metrics.logout_tokens.inc("failed")
            if client.client_id not in self._failing:
                _log.warning("client %s takes no logout token for now: %s", client.client_id, reason)
            self._failing[client.client_id] = self._clock() + _PAUSE_AFTER_FAILURE
            await self._store.write(logout_deliveries.postpone_delivery, delivery, now=self._clock())

    async def _send(self, delivery: Delivery, client: Client, url: str) -> tuple[int, str]:
        """The status of the client's response, 0 for none, and the outcome in words for the log.

        Raises TemporarilyUnavailable when there is no key to sign with.
        """
        key = await self._key_ring.signing_key(client.id_token_signed_response_alg)
        claims = logout_token_claims(
            issuer=self._issuer,
            client_id=client.client_id,
            sub=delivery.sub,
            sid=delivery.sid,
            now=self._clock(),
        )
        form = {"logout_token": jwt.sign(claims, key, typ=TYP)}
        try:
            answer = await self._outgoing.post(url, form, is_trusted=client.is_declared)
        except OutgoingFailed as failure:
            return 0, str(failure)
        return answer.status, f"status {answer.status}"
