"""The bounds over all connections: those of peers that send no request or do not read are closed first."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tallystick_service.server.connection_limiter import ConnectionLimiter, network_of
from tallystick_service.server.limits import ServerLimits
from tests.support.processes import port_of, running
from tests.support.small_caller import GET, HOST, Caller, ask, hasty_port
from tests.support.small_server import MAX_CONNECTIONS

__all__ = ["hasty_port"]


@pytest.fixture
def crowded_port() -> Iterator[int]:
    """A server with room for MAX_CONNECTIONS connections."""
    with running("tests.support.small_server", "0", "1", "crowded") as process:
        yield port_of(process)


def test_connections_without_a_request_are_closed_for_those_with_one(crowded_port: int) -> None:
    with ExitStack() as stack:
        regular = stack.enter_context(Caller(crowded_port))
        regular.send(GET)
        assert regular.answer()[0] == 200
        busy = stack.enter_context(Caller(crowded_port))
        busy.send(b"GET /2 HTTP/1.1\r\n" + HOST + b"\r\n")
        crowd = [stack.enter_context(Caller(crowded_port)) for _ in range(5 * MAX_CONNECTIONS)]
        for caller in crowd[::2]:
            caller.send(b"GET / HTTP/1.1\r\nHo")
        assert ask(crowded_port, GET)[0] == 200
        assert crowd[0].is_closed()
        regular.send(GET)
        assert regular.answer()[0] == 200  # it was idle for longer, but it had sent a request
        assert busy.answer()[0] == 200


def test_of_the_idle_connections_the_one_that_was_idle_longest_is_closed(crowded_port: int) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(Caller(crowded_port)) for _ in range(MAX_CONNECTIONS)]
        for caller in (*idle, idle[0]):
            caller.send(GET)
            assert caller.answer()[0] == 200
        assert ask(crowded_port, GET)[0] == 200
        assert idle[1].is_closed()
        idle[0].send(GET)
        assert idle[0].answer()[0] == 200


def test_a_peer_that_never_reads_is_disconnected(hasty_port: int) -> None:
    with Caller(hasty_port) as caller:
        for _ in range(20):
            caller.send(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        caller.wait_until_closed()
    assert ask(hasty_port, GET)[0] == 200


def test_a_peer_that_reads_slowly_is_served(hasty_port: int) -> None:
    with Caller(hasty_port) as caller:
        caller.send(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        assert len(caller.answer()[2]) == 1_000_000
        caller.send(GET)
        assert caller.answer()[0] == 200


@pytest.fixture
def tight_port() -> Iterator[int]:
    """A server that keeps at most MAX_HELD_BYTES over all connections."""
    with running("tests.support.small_server", "0", "1", "tight") as process:
        yield port_of(process)


@pytest.mark.parametrize(
    ("request_bytes", "answers"),
    [
        # 20 MB, because the kernel's send buffer of one connection holds up to 4 MB that are not the server's.
        ((b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n") * 20, 20),
        (
            b"GET /3 HTTP/1.1\r\n"
            + HOST
            + b"\r\n"
            + (b"GET / HTTP/1.1\r\nA: " + b"a" * 30_000 + b"\r\n" + HOST + b"\r\n") * 7,
            8,
        ),
    ],
    ids=["unread answers", "waiting requests"],
)
def test_bytes_held_over_all_connections_are_bounded(tight_port: int, request_bytes: bytes, answers: int) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(Caller(tight_port, receive_buffer=65_536)) for _ in range(40)]
        for peer in peers:
            peer.send(request_bytes)
        assert ask(tight_port, GET)[0] == 200
        served = [peer for peer in peers if all(peer.has_whole_answer() for _ in range(answers))]
        assert 0 < len(served) < len(peers)


@dataclass(eq=False)
class Peer:
    network: str
    is_closed: bool = False

    def abort(self) -> None:
        self.is_closed = True

    def has_stalled(self, now: float) -> bool:
        return False


def connected(limiter: ConnectionLimiter, *networks: str) -> list[Peer]:
    peers = [Peer(network) for network in networks]
    loop = asyncio.new_event_loop()  # never run: no timer has to fire
    for peer in peers:
        limiter.add(peer, loop)
    loop.close()
    return peers


def test_many_connections_of_one_network_do_not_displace_the_few_of_another() -> None:
    limiter = ConnectionLimiter(ServerLimits(max_connections=10))
    honest = connected(limiter, "honest", "honest")
    attackers = connected(limiter, *["attacker"] * 50)
    assert not any(peer.is_closed for peer in honest)
    assert [peer.is_closed for peer in attackers] == [True] * 42 + [False] * 8  # the oldest went first


def test_a_connection_of_the_most_frequent_state_is_closed() -> None:
    limiter = ConnectionLimiter(ServerLimits(max_connections=10))
    peers = connected(limiter, *["a"] * 10)
    for peer in peers[:6]:
        limiter.mark_unread(peer)
    for peer in peers[6:8]:
        limiter.mark_idle(peer)
    connected(limiter, "b")
    assert [peer.is_closed for peer in peers] == [True] + [False] * 9


def test_a_connection_with_a_request_in_the_application_is_not_closed_for_another() -> None:
    limiter = ConnectionLimiter(ServerLimits(max_connections=10))
    peers = connected(limiter, *["a"] * 10)
    for peer in peers:
        limiter.mark_busy(peer)
    connected(limiter, "b", "b")
    assert not any(peer.is_closed for peer in peers)


def test_the_oldest_holder_of_the_network_that_holds_most_bytes_is_closed() -> None:
    limiter = ConnectionLimiter(ServerLimits(max_connections=100, max_held_bytes=1000))
    honest, *attackers = connected(limiter, "honest", *["attacker"] * 5)
    limiter.hold(honest, 400)
    for peer in attackers:
        limiter.hold(peer, 200)
    assert not honest.is_closed
    assert [peer.is_closed for peer in attackers] == [True, True, False, False, False]


def test_bytes_that_were_read_are_not_counted() -> None:
    limiter = ConnectionLimiter(ServerLimits(max_connections=100, max_held_bytes=1000))
    peers = connected(limiter, *["a"] * 20)
    for peer in peers:
        limiter.hold(peer, 900)
        limiter.hold(peer, 0)
    limiter.hold(peers[0], 900)
    limiter.remove(peers[0])
    limiter.hold(peers[1], 900)
    assert not any(peer.is_closed for peer in peers)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::1", "20010db800000001"),
        ("2001:db8:0:1:ffff::2", "20010db800000001"),
        ("fe80::1%eth0", "fe80000000000000"),
        ("", ""),
    ],
)
def test_an_ipv6_peer_is_counted_by_its_64_bit_network(address: str, network: str) -> None:
    assert network_of(address) == network
