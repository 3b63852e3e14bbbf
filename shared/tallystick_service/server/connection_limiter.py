"""Limits over all connections of one process: their number, and the bytes that the process keeps for them.

When a limit is reached, a connection of the network with the largest share is closed, so that a peer with many
connections cannot displace the few connections of another peer.
"""

import asyncio
import socket
from collections import Counter
from typing import Protocol

from tallystick_service.server.limits import ServerLimits


class Connection(Protocol):
    network: str
    """Of the peer, as in `network_of`."""

    def abort(self) -> None:
        """Close without waiting. Unsent bytes are lost."""

    def has_stalled(self, now: float) -> bool:
        """Whether the peer has not read for too long. `now` is the event loop's time."""


class ConnectionLimiter:
    """At most `limits.max_connections` connections, with at most `limits.max_held_bytes` held for all of them.

    When a further connection arrives, a connection is closed that waits for its peer: to send the rest of a request, to
    send another request, or to read a response. It is taken from the largest of these three states, so each
    state can have at least a third of the connections. A connection with a request in the application is not closed.
    """

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._all: set[Connection] = set()
        self._reading = _Waiting()
        self._idle = _Waiting()
        self._unread = _Waiting()
        self._waiting: dict[Connection, _Waiting] = {}
        """The state of each connection that waits for its peer."""
        self._held: dict[Connection, int] = {}
        self._total_held = 0
        self._held_by_network: Counter[str] = Counter()
        self._check: asyncio.TimerHandle | None = None

    def add(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        if len(self._all) >= self._limits.max_connections:
            self._close_one()
        self._all.add(connection)
        self.mark_reading(connection)
        if self._check is None:
            self._check = loop.call_later(self._limits.stall_check_interval, self._close_stalled, loop)

    def remove(self, connection: Connection) -> None:
        self.hold(connection, 0)
        self._move(connection, None)
        self._all.discard(connection)

    def mark_reading(self, connection: Connection) -> None:
        """A request is incomplete, or the peer has not sent its first one."""
        self._move(connection, self._reading)

    def mark_busy(self, connection: Connection) -> None:
        """The application is processing a request."""
        self._move(connection, None)

    def mark_idle(self, connection: Connection) -> None:
        """Every request has its response, and the peer has read all of it."""
        self._move(connection, self._idle)

    def mark_unread(self, connection: Connection) -> None:
        """A response waits for the peer to read."""
        self._move(connection, self._unread)

    def hold(self, connection: Connection, size: int) -> None:
        """Record that the process holds `size` bytes for the connection. This replaces the earlier record.

        While the total is above the limit, the connection that has held bytes for longest is closed, among those of the
        network that holds most bytes.
        """
        before = self._held.get(connection, 0)
        if size and connection in self._all:
            self._held[connection] = size
        else:
            size = 0
            self._held.pop(connection, None)
        if size == before:
            return
        self._total_held += size - before
        self._held_by_network[connection.network] += size - before
        if not self._held_by_network[connection.network]:
            del self._held_by_network[connection.network]
        while self._total_held > self._limits.max_held_bytes:
            largest = max(self._held_by_network, key=self._held_by_network.__getitem__)
            self._close(next(holder for holder in self._held if holder.network == largest))

    def _move(self, connection: Connection, to: "_Waiting | None") -> None:
        current = self._waiting.get(connection)
        if current is to:
            return
        if current is not None:
            current.discard(connection)
            del self._waiting[connection]
        if to is not None and connection in self._all:
            to.add(connection)
            self._waiting[connection] = to

    def _close_one(self) -> None:
        waiting = max((self._reading, self._idle, self._unread), key=len)
        if len(waiting):
            self._close(waiting.oldest_of_largest_network())

    def _close(self, connection: Connection) -> None:
        self.remove(connection)  # not in connection_lost, which the loop calls only after all pending accepts
        connection.abort()

    def _close_stalled(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [connection for connection in self._all if connection.has_stalled(now)]:
            connection.abort()
        self._check = (
            loop.call_later(self._limits.stall_check_interval, self._close_stalled, loop) if self._all else None
        )


class _Waiting:
    """The connections of one state, by network, in the order in which they entered it."""

    def __init__(self) -> None:
        self._networks: dict[str, dict[Connection, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, connection: Connection) -> None:
        self._networks.setdefault(connection.network, {})[connection] = None
        self._count += 1

    def discard(self, connection: Connection) -> None:
        network = self._networks[connection.network]
        del network[connection]
        self._count -= 1
        if not network:
            del self._networks[connection.network]

    def oldest_of_largest_network(self) -> Connection:
        largest = max(self._networks.values(), key=len)
        return next(iter(largest))


def network_of(address: str) -> str:
    """Return what counts as one peer: an IPv4 address, or an IPv6 /64 network, which is usually one host's."""
    if ":" not in address:
        return address
    try:
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return address
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):  # an IPv4 address
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return packed[:8].hex()
