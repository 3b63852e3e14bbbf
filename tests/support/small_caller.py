"""A client that sends raw bytes to `tests.support.small_server`, and fixtures that start it."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.support.patience import PATIENCE
from tests.support.processes import port_of, running

HOST = b"Host: small\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running("tests.support.small_server", "0", "1") as process:
        yield port_of(process)


@pytest.fixture(scope="module")
def hasty_port() -> Iterator[int]:
    """A server with a request timeout of 0.2 seconds and a keep-alive timeout of 1 second."""
    with running("tests.support.small_server", "0", "1", "0.2 1") as process:
        yield port_of(process)


class Caller:
    """One connection. It reads until the server closes it or a response is complete."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        """`receive_buffer` bounds the unread bytes that the kernel keeps for us; the default can be many MB."""
        self._socket = socket.socket()
        self._socket.settimeout(PATIENCE)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.connect(("127.0.0.1", port))
        self._received = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the server closed before everything was sent
            self._socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body; status 0 when the server closed without a response."""
        try:
            status_line = self._received.readline()
        except ConnectionResetError:
            return 0, {}, b""
        if not status_line:
            return 0, {}, b""
        headers = {}
        while (line := self._received.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return int(status_line.split()[1]), headers, self._received.read(int(headers.get("content-length", 0)))

    def has_whole_answer(self) -> bool:
        """Whether the next response arrives with every byte of its Content-Length."""
        try:
            status, headers, body = self.answer()
        except ConnectionResetError:
            return False
        return bool(status) and len(body) == int(headers["content-length"])

    def is_closed(self) -> bool:
        try:
            return self._received.read(1) == b""
        except ConnectionResetError:
            return True

    def wait_until_closed(self) -> None:
        """Without reading: writes until one fails because the server has closed the connection."""
        with suppress(BrokenPipeError, ConnectionResetError):
            while True:
                self._socket.sendall(b"GET / HTTP/1.1\r\nX: ")
                time.sleep(0.02)

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._received.close()
        self._socket.close()


def ask(port: int, data: bytes) -> tuple[int, dict[str, str], bytes]:
    with Caller(port) as caller:
        caller.send(data)
        return caller.answer()


def seen(body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(body)
    return answer
