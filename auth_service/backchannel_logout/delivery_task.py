"""Logout tokens go out: a background task of each process (OpenID Connect Back-Channel Logout 1.0 §2.5–2.8).

What is to be sent lies in the store, so it survives a restart, and whichever process looks first sends it. Nobody waits
for a delivery: not the person who signs out, and not another client.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from auth_service.backchannel_logout import logout_token
from auth_service.clients.registry import ClientRegistry
from auth_service.keys.key_ring import KeyRing
from auth_service.outgoing import OutgoingFailed, OutgoingRequests
from auth_service.store.clients.clients import REGISTRATION, Client
from auth_service.store.logout import logout_deliveries
from auth_service.store.logout.logout_deliveries import Delivery, DueClient, Waiting
from auth_service.telemetry.metrics import AuthMetrics
from tallystick import jwt
from tallystick.clock import Clock
from tallystick.errors import TemporarilyUnavailable
from tallystick.request_id import own_request_id
from tallystick_service.store import Store
from tallystick_service.tasks.background_task import background_task

_log = logging.getLogger(__name__)

_LOOK_EVERY = 1.0
"""Seconds until what another process left is seen; what this one has ended is seen at once."""
_LOOK_AT_MOST_EVERY = 0.05
"""Seconds: a look costs more the more clients have something waiting, and every attempt that ends asks for one."""
_WHEN_AWAY = 3.0
"""Seconds between two looks at a store that is away."""

_PLACES = 12
"""Attempts at once to clients of one kind: declared, or registered by themselves, who may be anybody. Fewer than the
connections that there are for the kind, which others need, too."""
_FOR_FAILING = 6
"""Of these, the most that clients whose last attempt failed may have together."""
_PER_CLIENT = 2
_REST = 1
"""Seconds for which a client that fails is left alone, however many deliveries wait for it; then one is tried."""

_TRY_AGAIN = {408, 425, 429}
"""Of the 400-level, those that say "not now" rather than "never"."""


@dataclass(frozen=True)
class _Attempt:
    delivery: Delivery
    is_failing: bool
    is_stranger: bool


class LogoutDelivery:
    """`wake()` it when a login session was ended; let it go on within `running()`."""

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
        self._under_way: dict[asyncio.Task[None], _Attempt] = {}
        self._rests_until: dict[str, int] = {}
        """The clients whose last attempt failed."""

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with background_task(self._go_on()):
                yield
        finally:
            await self._break_off()

    async def _break_off(self) -> None:
        broken_off = dict(self._under_way)
        for task in broken_off:
            task.cancel()
        if broken_off:
            await asyncio.wait(broken_off)
            deliveries = [attempt.delivery for attempt in broken_off.values()]
            with suppress(TemporarilyUnavailable):  # then their lease runs out
                await self._store.write(logout_deliveries.release, deliveries, now=self._clock())

    async def _go_on(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._begin_what_is_due()
            except TemporarilyUnavailable:
                await asyncio.sleep(_WHEN_AWAY)
            except Exception:
                _log.exception("could not look for logout tokens to send")
                await asyncio.sleep(_WHEN_AWAY)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY):  # wait_for() may swallow a cancellation before Python 3.12
                        await self._woken.wait()
                        await asyncio.sleep(_LOOK_AT_MOST_EVERY)

    async def _begin_what_is_due(self) -> None:
        now = self._clock()
        waiting = await self._store.read(logout_deliveries.look, now=now)
        self._metrics.logout_tokens_waiting.set(waiting.deliveries)
        self._rests_until = {name: at for name, at in self._rests_until.items() if name in waiting.clients}
        if waiting.some_are_too_old:
            given_up = await self._store.write(logout_deliveries.give_up, now=now)
            self._metrics.logout_tokens.inc("given_up", by=len(given_up))
            for client_id in sorted(set(given_up)):
                _log.warning("gave up %d logout tokens for client %s", given_up.count(client_id), client_id)
            self.wake()  # there may be more
        if chosen := dict(self._choose(waiting, now=now)):
            strangers = {client.client_id for client in waiting.due if client.origin == REGISTRATION}
            for delivery in await self._store.write(logout_deliveries.take_due, chosen, now=now):
                self._begin(delivery, is_stranger=delivery.client_id in strangers)

    def _choose(self, waiting: Waiting, *, now: int) -> Iterator[tuple[str, int]]:
        """How many deliveries of which client to begin: first of those that do not fail, and of who waits longest."""
        under_way = list(self._under_way.values())
        its_own = Counter(attempt.delivery.client_id for attempt in under_way)
        taken = Counter(attempt.is_stranger for attempt in under_way)
        by_failing = Counter(attempt.is_stranger for attempt in under_way if attempt.is_failing)

        def order(client: DueClient) -> tuple[bool, int]:
            return client.client_id in self._rests_until, client.due_since

        for client in sorted(waiting.due, key=order):
            is_stranger = client.origin == REGISTRATION
            room = min(_PLACES - taken[is_stranger], _PER_CLIENT - its_own[client.client_id])
            if (rests_until := self._rests_until.get(client.client_id)) is not None:
                if now < rests_until or its_own[client.client_id]:
                    continue
                room = min(room, 1, _FOR_FAILING - by_failing[is_stranger])
                by_failing[is_stranger] += 1
            if room > 0:
                taken[is_stranger] += room
                yield client.client_id, room

    def _begin(self, delivery: Delivery, *, is_stranger: bool) -> None:
        task = asyncio.create_task(self._attempt(delivery))
        self._under_way[task] = _Attempt(delivery, delivery.client_id in self._rests_until, is_stranger)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self.wake()  # its place is free
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not isinstance(failure, TemporarilyUnavailable):  # of that the store has told
            _log.error("an attempt to deliver a logout token broke down", exc_info=failure)

    async def _attempt(self, delivery: Delivery) -> None:
        with own_request_id():
            await self._deliver(delivery)

    async def _deliver(self, delivery: Delivery) -> None:
        client = await self._registry.client(delivery.client_id)
        if client is None or client.backchannel_logout_uri is None:
            await self._store.write(logout_deliveries.drop, delivery.client_id)
            return
        status, why = await self._send(delivery, client, client.backchannel_logout_uri)
        if 200 <= status < 300:
            self._metrics.logout_tokens.inc("taken")
            if self._rests_until.pop(client.client_id, None) is not None:
                _log.info("client %s takes logout tokens again", client.client_id)
            await self._store.write(logout_deliveries.done, delivery.delivery_id)
        elif 400 <= status < 500 and status not in _TRY_AGAIN:
            self._metrics.logout_tokens.inc("refused")
            _log.warning("client %s refused a logout token with status %d", client.client_id, status)
            await self._store.write(logout_deliveries.done, delivery.delivery_id)
        else:
            self._metrics.logout_tokens.inc("failed")
            if client.client_id not in self._rests_until:
                _log.warning("client %s takes no logout token for now: %s", client.client_id, why)
            self._rests_until[client.client_id] = self._clock() + _REST
            await self._store.write(logout_deliveries.postpone, delivery, now=self._clock())

    async def _send(self, delivery: Delivery, client: Client, url: str) -> tuple[int, str]:
        """The status that the client answers with, 0 for none, and that in words for the log.

        Raises TemporarilyUnavailable when there is no key to sign with.
        """
        key = await self._key_ring.signing_key(client.id_token_signed_response_alg)
        claims = logout_token.claims_for(
            issuer=self._issuer,
            client_id=client.client_id,
            sub=delivery.sub,
            sid=delivery.sid,
            now=self._clock(),
        )
        form = {"logout_token": jwt.sign(claims, key, typ=logout_token.TYP)}
        try:
            answer = await self._outgoing.post(url, form, is_trusted=client.is_declared)
        except OutgoingFailed as failure:
            return 0, str(failure)
        return answer.status, f"status {answer.status}"
