"""Name look-ups that can be given up, though the system's resolver knows no end."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from auth_service.outgoing.domains import domain_of
from auth_service.outgoing.public_addresses import Address

Resolve = Callable[[str], list[Address]]
"""The addresses of a host, the best first; called in a thread. Raises OSError or ValueError when it has none."""

MAX_LOOKUPS = 64
"""Hosts that are looked up at once."""
MAX_LOOKUPS_PER_DOMAIN = 8
"""Of these, the hosts of one owner: one whose name server hangs can have many names."""
LOOKUP_TIMEOUT = 1.0
"""Seconds after which nobody joins a look-up that goes on: its name server is taken to be away."""


class NameLookups:
    """One look-up for all who ask for a host; who asks for one that hangs is refused at once, and holds nobody up.

    Its threads are daemons: one that hangs in the system's resolver must not keep the process from ending.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._under_way: dict[str, tuple[asyncio.Future[list[Address]], float]] = {}

    async def of(self, host: str) -> list[Address]:
        """Raises OSError or ValueError for a host that has no address, or whose look-up hangs."""
        looking, begun = self._under_way.get(host, (None, 0.0))
        if looking is None:
            domain = domain_of(host)
            in_domain = sum(domain_of(other) == domain for other in self._under_way)
            if len(self._under_way) >= MAX_LOOKUPS or in_domain >= MAX_LOOKUPS_PER_DOMAIN:
                raise OSError("too many names are being looked up")
            looking = asyncio.get_running_loop().create_future()
            self._under_way[host] = looking, time.monotonic()
            threading.Thread(target=self._look, args=(host, looking), name="resolve", daemon=True).start()
        elif time.monotonic() - begun > LOOKUP_TIMEOUT:
            raise OSError("its name server does not answer")
        return await asyncio.shield(looking)  # one caller may give up without taking the others' look-up along

    def _look(self, host: str, looking: asyncio.Future[list[Address]]) -> None:
        found: list[Address] | Exception
        try:
            found = self._resolve(host)
        except Exception as failure:
            found = failure
        with suppress(RuntimeError):  # the event loop has ended meanwhile
            looking.get_loop().call_soon_threadsafe(self._tell, host, looking, found)

    def _tell(self, host: str, looking: asyncio.Future[list[Address]], found: list[Address] | Exception) -> None:
        del self._under_way[host]
        if isinstance(found, Exception):
            looking.set_exception(found)
            looking.exception()  # all who waited may have given up
        else:
            looking.set_result(found)
