"""Several requests on one connection: each complete request is answered, in order, also if the next one is invalid."""

import time
from collections.abc import Iterator

import pytest

from tallystick_service.server.protocol import MAX_PIPELINED
from tests.support.patience import PATIENCE
from tests.support.processes import port_of, running
from tests.support.small_caller import GET, HOST, Caller, ask, hasty_port, port, seen

__all__ = ["hasty_port", "port"]


CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "second",
    [b"nonsense\r\n\r\n", b"GET / HT", CHUNKED + b"nonsense\r\n"],
    ids=["no request", "slow", "no body"],
)
def test_complete_requests_are_answered_before_a_refused_one_closes_the_connection(
    hasty_port: int, second: bytes
) -> None:
    """The refusal is not sent, because a client would take it for the response to a complete request."""
    with Caller(hasty_port) as caller:
        caller.send(b"GET /0.5 HTTP/1.1\r\n" + HOST + b"\r\n" + GET + second)
        assert [caller.answer()[0] for _ in range(2)] == [200, 200]
        assert caller.is_closed()


def test_a_large_response_is_complete_though_input_follows_a_refused_request(port: int) -> None:
    with Caller(port) as caller:
        caller.send(b"GET /later HTTP/1.1\r\n" + HOST + b"\r\n" + CHUNKED + b"nonsense\r\n")
        time.sleep(0.1)
        caller.send(b"x" * 1000)
        status, _, body = caller.answer()
        assert (status, len(body)) == (200, 1_000_000)
        assert caller.is_closed()


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_the_timeout_of_a_pipelined_body_starts_when_it_is_read(hasty_port: int, expect: bytes) -> None:
    with Caller(hasty_port) as caller:
        caller.send(b"GET /0.6 HTTP/1.1\r\n" + HOST + b"\r\n")
        caller.send(b"POST / HTTP/1.1\r\n" + HOST + expect + b"Content-Length: 5\r\n\r\n")
        time.sleep(0.05)
        caller.send(b"12345")
        assert caller.answer()[0] == 200
        statuses = [caller.answer()[0]]
        while statuses[-1] == 100:
            statuses.append(caller.answer()[0])
        assert statuses[-1] == 200


def test_a_pipelined_body_that_does_not_arrive_is_refused(hasty_port: int) -> None:
    with Caller(hasty_port) as caller:
        caller.send(b"GET /0.3 HTTP/1.1\r\n" + HOST + b"\r\n")
        caller.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n")
        assert [caller.answer()[0] for _ in range(2)] == [200, 408]
        assert caller.is_closed()


@pytest.fixture(scope="module")
def short_keep_alive_port() -> Iterator[int]:
    """A server with a short keep-alive timeout and a long request timeout."""
    with running("tests.support.small_server", "0", "1", f"{PATIENCE} 0.5") as process:
        yield port_of(process)


def test_a_head_that_arrives_in_two_parts_around_the_response_before_is_answered(short_keep_alive_port: int) -> None:
    with Caller(short_keep_alive_port) as caller:
        caller.send(b"GET /0.2 HTTP/1.1\r\n" + HOST + b"\r\nGET /1 HTTP/1.1\r\n")
        assert caller.answer()[0] == 200
        caller.send(HOST + b"\r\n")
        assert caller.answer()[0] == 200  # though it takes longer than the keep-alive timeout


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    with Caller(port) as caller:
        bodies = [b"%d" % number for number in range(20)]
        for body in bodies:
            caller.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        assert [seen(caller.answer()[2])["body"].encode() for _ in bodies] == bodies


def test_only_a_few_pipelined_requests_are_read(port: int) -> None:
    with Caller(port) as caller:
        caller.send(GET * 5000)
        answered = [caller.answer() for _ in range(MAX_PIPELINED + 1)]
        assert [status for status, _, _ in answered] == [200] * (MAX_PIPELINED + 1)
        assert answered[-1][1]["connection"] == "close"
        assert caller.is_closed()


def test_a_peer_that_disconnects_before_its_pipelined_responses_causes_no_error() -> None:
    with running("tests.support.small_server", "0", "1") as process:
        port = port_of(process)
        for _ in range(5):
            with Caller(port) as caller:
                caller.send((b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n") * 20)
                assert caller.answer()[0] == 200
        assert ask(port, GET)[0] == 200
        process.terminate()
        assert process.communicate()[1] == ""
