"""Host name lookups that callers can give up, although the system's resolver has no timeout."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from auth_service.outgoing.domains import domain_of
from auth_service.outgoing.public_addresses import Address

Resolve = Callable[[str], list[Address]]
"""Returns the addresses of a host, the preferred ones first. Called in a thread. Raises OSError or ValueError."""

MAX_LOOKUPS = 64
"""Hosts that are looked up at the same time."""
MAX_LOOKUPS_PER_DOMAIN = 8
"""Of these, the hosts of one domain: the owner of a name server that hangs can have many names."""
LOOKUP_TIMEOUT = 1.0
"""Seconds after which no further caller joins a running lookup, because its name server is probably unavailable."""


class NameLookups:
    """Concurrent callers for one host share one lookup. Callers for a host whose lookup hangs are refused immediately.

    The threads are daemons, because a thread that hangs in the system's resolver must not keep the process from ending.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._running: dict[str, tuple[asyncio.Future[list[Address]], float]] = {}

    async def resolve(self, host: str) -> list[Address]:
        """Raises OSError or ValueError for a host that has no address, or whose lookup hangs."""
        future, started_at = self._running.get(host, (None, 0.0))
        if future is None:
            domain = domain_of(host)
            in_domain = sum(domain_of(other) == domain for other in self._running)
            if len(self._running) >= MAX_LOOKUPS or in_domain >= MAX_LOOKUPS_PER_DOMAIN:
                raise OSError("too many names are being looked up")
            future = asyncio.get_running_loop().create_future()
            self._running[host] = future, time.monotonic()
            threading.Thread(target=self._look_up, args=(host, future), name="resolve", daemon=True).start()
        elif time.monotonic() - started_at > LOOKUP_TIMEOUT:
            raise OSError("its name server does not answer")
        return await asyncio.shield(future)  # a cancelled caller must not cancel the shared lookup

    def _look_up(self, host: str, future: asyncio.Future[list[Address]]) -> None:
        """Runs in its own thread."""
        outcome: list[Address] | Exception
        try:
            outcome = self._resolve(host)
        except Exception as failure:
            outcome = failure
        with suppress(RuntimeError):  # the event loop has been closed meanwhile
            future.get_loop().call_soon_threadsafe(self._finish, host, future, outcome)

    def _finish(self, host: str, future: asyncio.Future[list[Address]], outcome: list[Address] | Exception) -> None:
        del self._running[host]
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
            future.exception()  # marks it as retrieved, because all callers may have been cancelled
        else:
            future.set_result(outcome)
