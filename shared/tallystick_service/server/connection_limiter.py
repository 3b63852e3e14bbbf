"""Bounds over all connections of one process: how many there are, and how many bytes they make us keep.

Both are shared out by network. When a bound is reached, a connection is closed that belongs to the network with the
largest share, so that one peer with many connections cannot displace the few of another.
"""

import asyncio
import socket
from collections import Counter
from typing import Protocol

CHECK_INTERVAL = 2.0
"""Seconds between two searches for connections whose peer has stopped reading."""
MAX_HELD_BYTES = 64 * 1024 * 1024
"""Over all connections: bytes written that the peer has not read, and bytes received of requests not yet processed."""


class Connection(Protocol):
    network: str
    """Of the peer, as in `network_of`."""

    def give_up(self) -> None:
        """Close at once; unsent bytes are lost."""

    def has_stalled(self, now: float) -> bool:
        """Whether the peer has not read for too long. `now` is the event loop's time."""


class ConnectionLimiter:
    """At most `maximum` connections and `max_held_bytes` that they make us keep.

    For one connection more than `maximum`, one is closed that waits for its peer: to send the rest of a request, to
    send another request, or to read an answer. It is taken from the kind that has most connections, so each kind has
    at least a third of the room. A connection whose request the application is processing is never closed for another.
    """

    def __init__(self, maximum: int, *, max_held_bytes: int | None = None) -> None:
        self._maximum = maximum
        self._max_held_bytes = MAX_HELD_BYTES if max_held_bytes is None else max_held_bytes
        self._all: set[Connection] = set()
        self._reading = _Waiting()
        self._idle = _Waiting()
        self._unread = _Waiting()
        self._waiting: dict[Connection, _Waiting] = {}
        """In which of the three a connection is."""
        self._held: dict[Connection, int] = {}
        self._held_in_all = 0
        self._held_by_network: Counter[str] = Counter()
        self._check: asyncio.TimerHandle | None = None

    def add(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        if len(self._all) >= self._maximum:
            self._close_one()
        self._all.add(connection)
        self.mark_reading(connection)
        if self._check is None:
            self._check = loop.call_later(CHECK_INTERVAL, self._close_stalled, loop)

    def remove(self, connection: Connection) -> None:
        self.hold(connection, 0)
        self._move(connection, None)
        self._all.discard(connection)

    def mark_reading(self, connection: Connection) -> None:
        """The peer has begun a request and not ended it, or has not sent its first one."""
        self._move(connection, self._reading)

    def mark_busy(self, connection: Connection) -> None:
        """The application is processing its request."""
        self._move(connection, None)

    def mark_idle(self, connection: Connection) -> None:
        """Every request was answered, and the answers were read."""
        self._move(connection, self._idle)

    def mark_unread(self, connection: Connection) -> None:
        """An answer waits for the peer to read."""
        self._move(connection, self._unread)

    def hold(self, connection: Connection, size: int) -> None:
        """The connection now makes us keep `size` bytes. While they are too many in all, connections are closed:

        those of the network that holds most, the one first that has held bytes for longest.
        """
        before = self._held.get(connection, 0)
        if size and connection in self._all:
            self._held[connection] = size
        else:
            size = 0
            self._held.pop(connection, None)
        if size == before:
            return
        self._held_in_all += size - before
        self._held_by_network[connection.network] += size - before
        if not self._held_by_network[connection.network]:
            del self._held_by_network[connection.network]
        while self._held_in_all > self._max_held_bytes:
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
        self.remove(connection)  # at once: the transport reports the end only after all pending accepts
        connection.give_up()

    def _close_stalled(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [connection for connection in self._all if connection.has_stalled(now)]:
            connection.give_up()
        self._check = loop.call_later(CHECK_INTERVAL, self._close_stalled, loop) if self._all else None


class _Waiting:
    """Connections in the order in which they began to wait, by network."""

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
    """What counts as one peer: an IPv4 address, or the /64 of an IPv6 one, of which one host has 2^64 addresses."""
    if ":" not in address:
        return address
    try:
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return address
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):  # an IPv4 address
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return packed[:8].hex()
