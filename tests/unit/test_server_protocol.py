"""The requests that the server passes to an application, and those that it refuses itself."""

import pytest

from tallystick_service.server.protocol import MAX_PIPELINED
from tallystick_service.server.request_head import MAX_HEADER_FIELDS
from tests.support.small_caller import HOST, Caller, ask, hasty_port, port, seen

__all__ = ["hasty_port", "port"]


def test_a_plain_request_is_answered(port: int) -> None:
    status, headers, _ = ask(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert status == 200
    assert set(headers) == {"date", "content-length"}  # no Server header


@pytest.mark.parametrize(
    ("hosts", "status"), [(b"", 400), (HOST + HOST, 400), (HOST + b"hOsT: other\r\n", 400), (HOST, 200)]
)
def test_a_request_has_exactly_one_host(port: int, hosts: bytes, status: int) -> None:
    assert ask(port, b"GET / HTTP/1.1\r\n" + hosts + b"\r\n")[0] == status


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (b"http://small/", 200),
        (b"HTTP://SMALL/?x=http://other/", 200),
        (b"http://other/", 400),
        (b"http://other?small/", 400),
        (b"http://small:81/", 400),
        (b"http://user@small/", 400),
    ],
)
def test_an_absolute_target_names_the_same_host_as_the_host_header(port: int, address: bytes, status: int) -> None:
    assert ask(port, b"GET " + address + b" HTTP/1.1\r\n" + HOST + b"\r\n")[0] == status


@pytest.mark.parametrize("path", [b"/0%0a", b"/0%0A", b"/%00", b"/%1f/0", b"/%7F", b"/0%0d%0a?x=1"])
def test_a_path_with_control_characters_is_refused(port: int, path: bytes) -> None:
    assert ask(port, b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 400


@pytest.mark.parametrize("path", [b"/0%2e1", b"/%30", b"/?x=%0a", b"/%2F?%00"])
def test_other_encoded_characters_in_a_target_pass(port: int, path: bytes) -> None:
    assert ask(port, b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 200


@pytest.mark.parametrize("address", [b"/", b"http://small/"])
def test_http_1_0_needs_no_host(port: int, address: bytes) -> None:
    assert ask(port, b"GET " + address + b" HTTP/1.0\r\n\r\n")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        b"A: " + b"a" * 33_000 + b"\r\n",
        b"".join(b"A%d: aaaaaaaaaa\r\n" % number for number in range(3000)),
        b"".join(b"%d:\r\n" % number for number in range(8000)),
        b"".join(b"A%d: a\r\n" % number for number in range(MAX_HEADER_FIELDS)),
    ],
    ids=["one", "many", "empty", "fields"],
)
def test_too_many_header_bytes_are_refused(port: int, headers: bytes) -> None:
    assert ask(port, b"GET / HTTP/1.1\r\n" + HOST + headers + b"\r\n")[0] == 431


def test_a_long_target_is_refused(port: int) -> None:
    assert ask(port, b"GET /?" + b"a" * 33_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 431


@pytest.mark.parametrize(
    "begin",
    [
        b"GET / HTTP/1.1\r\nA: ",
        b"GET /",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: ",
    ],
    ids=["header", "target", "trailer"],
)
def test_endless_headers_are_refused(port: int, begin: bytes) -> None:
    with Caller(port) as caller:
        caller.send(begin)
        for _ in range(300):
            caller.send(b"a" * 4096)
        caller.send(b"\r\n\r\n")
        assert caller.answer()[0] in {431, 0}  # 0: it was closed before everything was sent
        assert caller.is_closed()


def test_headers_below_the_limit_pass(port: int) -> None:
    assert ask(port, b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 30_000 + b"\r\n\r\n")[0] == 200


@pytest.mark.parametrize(
    "begin",
    [b"", b"GET / HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n12345"],
    ids=["nothing", "headers", "body"],
)
def test_a_request_that_arrives_too_slowly_is_refused(hasty_port: int, begin: bytes) -> None:
    with Caller(hasty_port) as caller:
        caller.send(begin)
        assert caller.answer()[0] == 408
        assert caller.is_closed()


def test_a_request_with_an_early_response_gets_no_second_one(hasty_port: int) -> None:
    with Caller(hasty_port) as caller:
        caller.send(b"POST /early HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n12345")
        assert caller.answer()[0] == 200
        assert caller.answer()[0] == 0  # no 408
    with Caller(hasty_port) as caller:
        caller.send(b"POST /early HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na")
        assert caller.answer()[0] == 200
        caller.send(b"nonsense")
        assert caller.answer()[0] == 0  # no 400


@pytest.mark.parametrize(
    ("codings", "status"),
    [
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
        (b"Transfer-Encoding: identity,Chunked\r\n", 501),
        (b"Transfer-Encoding: gzip\r\n", 400),
        (b"Transfer-Encoding: chunked, gzip\r\n", 400),
        (b"Transfer-Encoding: chunked, chunked\r\n", 400),
        (b"Transfer-Encoding: Chunked\r\n", 200),
    ],
)
def test_a_transfer_coding_other_than_chunked_is_refused(port: int, codings: bytes, status: int) -> None:
    with Caller(port) as caller:
        caller.send(b"POST / HTTP/1.1\r\n" + HOST + codings + b"\r\n0\r\n\r\n")
        assert caller.answer()[0] == status


@pytest.mark.parametrize(
    "rest",
    [b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nnonsense\r\n", b"Transfer-Encoding: nonsense\r\n\r\n"],
)
def test_a_malformed_body_is_refused(port: int, rest: bytes) -> None:
    with Caller(port) as caller:
        caller.send(b"POST / HTTP/1.1\r\n" + HOST + rest)
        assert caller.answer()[0] == 400
        assert caller.is_closed()


def test_an_idle_connection_has_the_longer_keep_alive_timeout(hasty_port: int) -> None:
    with Caller(hasty_port) as caller:
        for _ in range(2):
            caller.send(b"GET /0.5 HTTP/1.1\r\n" + HOST + b"\r\n")  # the request timeout does not apply to the response
            assert caller.answer()[0] == 200


def test_line_breaks_between_requests_do_not_extend_the_keep_alive_timeout(hasty_port: int) -> None:
    with Caller(hasty_port) as caller:
        caller.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert caller.answer()[0] == 200
        caller.send(b"\r\n")
        assert caller.is_closed()


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"Content-Length: +3\r\n\r\nabc",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"A\x00: b\r\n\r\n",
        b"A: b\x00\r\n\r\n",
    ],
)
def test_an_ambiguous_request_is_refused(port: int, framing: bytes) -> None:
    assert ask(port, b"POST / HTTP/1.1\r\n" + HOST + framing)[0] == 400


def test_a_trailer_is_not_a_header(port: int) -> None:
    request = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    with Caller(port) as caller:
        caller.send(request + b"3\r\nabc\r\n0\r\nX-Forwarded-For: 1.1.1.1\r\nAuthorization: Bearer x\r\n\r\n")
        _, _, body = caller.answer()
        assert seen(body)["headers"] == ["host", "transfer-encoding"]
        assert seen(body)["body"] == "abc"
        caller.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert caller.answer()[0] == 200


@pytest.mark.parametrize(
    "upgrade",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",  # as Java's client does
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n",
    ],
)
def test_a_request_that_offers_an_upgrade_is_served_as_http_1_1(port: int, upgrade: bytes) -> None:
    with Caller(port) as caller:
        for _ in range(3):
            caller.send(b"GET / HTTP/1.1\r\n" + HOST + upgrade + b"\r\n")
            assert caller.answer()[0] == 200
        for body in (b"abc", b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"):
            caller.send(b"POST / HTTP/1.1\r\n" + HOST + upgrade + b"Content-Length: %d\r\n\r\n" % len(body))
            caller.send(body)
            status, _, answer = caller.answer()
            assert (status, seen(answer)["body"]) == (200, body.decode())
            caller.send(b"POST / HTTP/1.1\r\n" + HOST + upgrade + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            assert seen(caller.answer()[2])["body"] == body.decode()
        caller.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert caller.answer()[0] == 200


def test_pipelined_upgrade_offers_are_served_as_http_1_1(port: int) -> None:
    offer = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with Caller(port) as caller:
        caller.send(offer * MAX_PIPELINED)
        assert [caller.answer()[0] for _ in range(MAX_PIPELINED)] == [200] * MAX_PIPELINED


def test_connect_is_refused(port: int) -> None:
    assert ask(port, b"CONNECT small:443 HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 400


def test_forwarded_headers_change_nothing(port: int) -> None:
    headers = b"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=1.1.1.1;proto=https\r\n"
    _, _, body = ask(port, b"GET / HTTP/1.1\r\n" + HOST + headers + b"\r\n")
    assert (seen(body)["client"], seen(body)["scheme"]) == ("127.0.0.1", "http")
