"""Who asks for nothing, or does not read what it asked for, makes room for the others."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.processes import port_of, running
from tests.support.small_caller import GET, HOST, Caller, ask, hasty_port
from tests.support.small_server import CROWD

__all__ = ["hasty_port"]


@pytest.fixture
def crowded_port() -> Iterator[int]:
    """A server with room for CROWD connections."""
    with running("tests.support.small_server", "0", "1", "crowded") as process:
        yield port_of(process)


def test_who_asks_for_nothing_makes_room_for_who_asks(crowded_port: int) -> None:
    with ExitStack() as stack:
        regular = stack.enter_context(Caller(crowded_port))
        regular.send(GET)
        assert regular.answer()[0] == 200
        busy = stack.enter_context(Caller(crowded_port))
        busy.send(b"GET /2 HTTP/1.1\r\n" + HOST + b"\r\n")
        crowd = [stack.enter_context(Caller(crowded_port)) for _ in range(5 * CROWD)]
        for caller in crowd[::2]:
            caller.send(b"GET / HTTP/1.1\r\nHo")
        assert ask(crowded_port, GET)[0] == 200
        assert crowd[0].is_closed()
        regular.send(GET)
        assert regular.answer()[0] == 200  # it rested for longer, but it had asked for something
        assert busy.answer()[0] == 200


def test_of_those_who_rest_the_one_goes_that_has_rested_longest(crowded_port: int) -> None:
    with ExitStack() as stack:
        resting = [stack.enter_context(Caller(crowded_port)) for _ in range(CROWD)]
        for caller in (*resting, resting[0]):
            caller.send(GET)
            assert caller.answer()[0] == 200
        assert ask(crowded_port, GET)[0] == 200
        assert resting[1].is_closed()
        resting[0].send(GET)
        assert resting[0].answer()[0] == 200


def test_who_never_reads_is_left(hasty_port: int) -> None:
    with Caller(hasty_port) as caller:
        for _ in range(20):
            caller.send(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        caller.wait_until_closed()
    assert ask(hasty_port, GET)[0] == 200


def test_who_reads_slowly_is_served(hasty_port: int) -> None:
    with Caller(hasty_port) as caller:
        caller.send(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        assert len(caller.answer()[2]) == 1_000_000
        caller.send(GET)
        assert caller.answer()[0] == 200
