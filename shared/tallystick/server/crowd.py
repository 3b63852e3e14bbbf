"""Who is connected to one process: who goes first when it gets crowded, and who goes because they do not read."""

import asyncio
from typing import Protocol

LOOK_SECONDS = 2.0
"""From one look at who does not read to the next."""


class Connection(Protocol):
    def give_up(self) -> None:
        """Close at once; what was not sent is lost."""

    def has_stalled(self, now: float) -> bool:
        """Whether the peer has not read for too long. `now` is the event loop's time."""


class Crowd:
    """`most` connections; for one more, one has to go that is not being answered.

    Those that owe us a request, or the rest of one, and those that rest between two requests have half of the room
    each, or what the others leave. Of those that have more than their half the one goes that has waited longest.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: set[Connection] = set()
        self._owing: dict[Connection, None] = {}  # in the order in which they began to
        self._resting: dict[Connection, None] = {}
        self._looking: asyncio.TimerHandle | None = None

    def join(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        if len(self._all) >= self._most:
            self._send_one_away()
        self._all.add(connection)
        self._owing[connection] = None
        if self._looking is None:
            self._looking = loop.call_later(LOOK_SECONDS, self._look, loop)

    def leave(self, connection: Connection) -> None:
        self._all.discard(connection)
        self._owing.pop(connection, None)
        self._resting.pop(connection, None)

    def owes(self, connection: Connection) -> None:
        """It has begun a request, and not ended it."""
        if connection in self._all and connection not in self._owing:
            self._resting.pop(connection, None)
            self._owing[connection] = None

    def is_served(self, connection: Connection) -> None:
        self._owing.pop(connection, None)
        self._resting.pop(connection, None)

    def rests(self, connection: Connection) -> None:
        """All it asked for has been answered."""
        if connection in self._all:
            self._owing.pop(connection, None)
            self._resting[connection] = None

    def _send_one_away(self) -> None:
        too_many_owe = len(self._owing) > self._most // 2 or not self._resting
        first = next(iter(self._owing if too_many_owe else self._resting), None)
        if first is not None:
            self.leave(first)  # now: the transport reports the end only after the whole rush has been accepted
            first.give_up()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [connection for connection in self._all if connection.has_stalled(now)]:
            connection.give_up()
        self._looking = loop.call_later(LOOK_SECONDS, self._look, loop) if self._all else None
