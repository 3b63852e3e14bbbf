"""Clients and APIs as this process remembers them: read from the store again after a second.

A token request must not cost a read of what changes once a month; a client that was disabled is refused everywhere
within that second.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from auth_service.store.clients import apis, clients
from auth_service.store.clients.apis import Apis
from auth_service.store.clients.clients import Client
from tallystick_service.store import Store, StoreUnavailable

_SECONDS = 1.0
_RETRY = 5.0
"""Seconds between questions for what may be old while the store is away, so that not every caller waits in vain."""
_MOST = 2_000
"""Answers remembered of one kind: strangers may ask for as many names as they like."""

_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,200}")
_LONGEST_ORIGIN = 300

K = TypeVar("K")
V = TypeVar("V")


class Registry:
    """All but `last_known` raises StoreUnavailable when the answer is not remembered and the store is away."""

    def __init__(self, store: Store) -> None:
        self._last: Apis | None = None
        self._ask_again_at = 0.0
        self._apis: _Remembered[None, Apis] = _Remembered(lambda _: store.read(apis.load))
        self._clients: _Remembered[str, Client | None] = _Remembered(lambda name: store.read(clients.find, name))
        self._origins: _Remembered[str, bool] = _Remembered(lambda name: store.read(clients.is_public_origin, name))

    async def now(self) -> Apis:
        """The APIs, at most a second old."""
        self._last = await self._apis.of(None)
        return self._last

    async def last_known(self) -> Apis:
        """The APIs to be told of, not to be judged by: however old while the store is away.

        Raises StoreUnavailable when this process has never read them.
        """
        if self._last is not None and time.monotonic() < self._ask_again_at:
            return self._last
        try:
            return await self.now()
        except StoreUnavailable:
            if self._last is None:
                raise
            self._ask_again_at = time.monotonic() + _RETRY
            return self._last

    async def client(self, client_id: str) -> Client | None:
        """The client as it was at most a second ago; None when there is none, or it is disabled."""
        if not _CLIENT_ID.fullmatch(client_id):  # no client's name: neither looked for nor remembered
            return None
        return await self._clients.of(client_id)

    async def is_public_origin(self, origin: str) -> bool:
        """Whether a page of this web origin belongs to a public client."""
        if len(origin) > _LONGEST_ORIGIN:
            return False
        return await self._origins.of(origin)

    async def read_now(self) -> Apis:
        """Forget everything and ask the store."""
        for remembered in (self._apis, self._clients, self._origins):
            remembered.forget()
        return await self.now()

    def forget(self, client_id: str) -> None:
        """This process has changed the client."""
        self._clients.forget(client_id)
        self._origins.forget()


class _Remembered(Generic[K, V]):
    """The answers to questions of one kind, for a second each; the oldest go first when there are too many."""

    def __init__(self, ask: Callable[[K], Awaitable[V]]) -> None:
        self._ask = ask
        self._known: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._asking: dict[K, asyncio.Task[V]] = {}

    async def of(self, name: K) -> V:
        known = self._known.get(name)
        if known is not None and time.monotonic() - known[1] < _SECONDS:
            return known[0]
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = asyncio.create_task(self._ask_and_remember(name))
            asking.add_done_callback(lambda done: self._done(name, done))
        # One question for all who wait, and one failure: taking turns at a dead store, the last would wait for minutes.
        return await asyncio.shield(asking)

    def forget(self, *names: K) -> None:
        """These answers, or all; a question that is under way is asked anew by whoever comes next."""
        for name in names or [*self._known, *self._asking]:
            self._known.pop(name, None)
            self._asking.pop(name, None)

    async def _ask_and_remember(self, name: K) -> V:
        begun = asyncio.current_task()
        answer = await self._ask(name)
        if self._asking.get(name) is begun:
            self._known[name] = answer, time.monotonic()
            self._known.move_to_end(name)
            self._drop_what_is_old()
        return answer

    def _drop_what_is_old(self) -> None:
        """The oldest are first, and of no use any more after a second."""
        old = time.monotonic() - _SECONDS
        while self._known:
            _, since = next(iter(self._known.values()))
            if since > old and len(self._known) <= _MOST:
                return
            self._known.popitem(last=False)

    def _done(self, name: K, done: asyncio.Task[V]) -> None:
        if self._asking.get(name) is done:
            del self._asking[name]
        if not done.cancelled():
            done.exception()  # all who waited may have given up; it has been told to those who have not
