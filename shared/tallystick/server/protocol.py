"""HTTP/1.1 with the bounds that uvicorn's httptools protocol leaves open.

What is refused here never reaches an application: too many header bytes, a request that trickles in, more or less than
one Host or two that differ, a path with control characters, a long queue of requests on one connection. How large a
body may be is for `tallystick.asgi.BodyLimit` to say.

Who does not read what was asked for is left, and so is who asks for nothing when others have no room.
"""

import asyncio
import re
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tallystick.server.crowd import Crowd
from tallystick.server.reading import Reading

HEADER_BYTES = 32 * 1024
HEADER_SECONDS = 10.0
"""From a connection's or request's first byte to the end of its headers; as long again for its body."""

PIPELINED = 32
"""Requests that may wait for the answer to the one before. What comes behind them is not read: each costs us a hundred
times its bytes, and a packet has room for thousands."""

_CONTROL_IN_PATH = re.compile(rb"[^?]*%(?:[01][0-9a-f]|7f)", re.IGNORECASE)
"""No path of ours has any, and readers differ in what they make of them: a router overlooks a line break at the end,
the exact rules of a proxy in front of it do not."""


class Refused(Exception):
    """Raised inside the parser, which passes it on as an error of its own."""


class BoundedProtocol(HttpToolsProtocol):
    def __init__(self, *args: Any, crowd: Crowd, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._crowd = crowd
        self._is_deaf = False
        self._reading = Reading()
        self._is_in_headers = True  # a connection that sends nothing counts as slow, too
        self._is_in_body = False
        self._is_with_app = False  # what is being read: a request that an application has already
        self._last_whole: RequestResponseCycle | None = None
        self._is_upgrade = False
        self._unfinished_bytes = 0  # that came since a request's headers, a part of its body, or it all was complete
        self._header_bytes = 0
        self._hosts = 0
        self._refusal = HTTPStatus.BAD_REQUEST
        self._slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_slowness()
        self._crowd.join(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_in_headers = self._is_in_body = False
        self._watch_slowness()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._unfinished_bytes += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse(self._refusal)
        # The parser reports a header or trailer when it is complete, and would gather an endless one in memory.
        if self._unfinished_bytes > HEADER_BYTES and not self._is_deaf:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._watch_slowness()

    def _parse(self, data: bytes | memoryview) -> None:
        """A client that offers an upgrade (Java's offers h2c with any request) is taken at its HTTP/1.1 word.

        The parser stops at such a request's headers, so they are put to a new one without the offer. To go on behind
        them would read the request's body as another request.
        """
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = memoryview(data)[offer.args[0] :]
                method, version = self.parser.get_method(), self.parser.get_http_version().encode()
                head = [b"%s %s HTTP/%s" % (method, self.url, version)]
                head += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.feed_data(b"\r\n".join((*head, b"", b"")))

    def _watch_slowness(self) -> None:
        """A request that arrives whole, as nearly all do, costs no timer."""
        # What stands behind another request is not read until its turn comes, however whole it was sent.
        if self._is_in_headers or (self._is_in_body and not self.pipeline):
            self._crowd.owes(self)
            if self._slow is None:
                self._slow = self.loop.call_later(HEADER_SECONDS, self._close_slow)
            return
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
        if self.cycle is None or self._is_answered():
            self._crowd.rests(self)
        else:
            self._crowd.is_served(self)

    def _close_slow(self) -> None:
        self._slow = None
        self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        self._is_in_headers = self._is_in_body = False
        if self.transport.is_closing():
            return
        if self._last_whole is not None and not self._last_whole.response_complete:
            self._end_after(self._last_whole)
            return
        if not (self._is_with_app and self.cycle.response_started):  # there is one answer to each
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        if self._is_with_app:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _end_after(self, last: RequestResponseCycle) -> None:
        """What came whole is answered, and what stands behind it is not read."""
        self._is_deaf = True
        if self._is_with_app:  # it waits in the pipeline, the newest first
            self.pipeline.popleft()
        self.cycle = last
        last.keep_alive = False
        self.flow.resume_reading()  # what lies unread when a connection is closed takes the answer along
        self._watch_slowness()

    # Who does not read

    def resume_writing(self) -> None:
        self._reading.goes_on()
        super().resume_writing()

    def has_stalled(self, now: float) -> bool:
        return self._reading.has_stalled(self.transport.get_write_buffer_size(), now)

    def give_up(self) -> None:
        self.transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_in_headers or self._is_in_body or self.pipeline:
            self._watch_slowness()
        elif self._is_answered():
            self._crowd.rests(self)

    def _is_answered(self) -> bool:
        """Also what it has not read yet is an answer under way."""
        return bool(self.cycle.response_complete) and not self.transport.get_write_buffer_size()

    # What the parser finds

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._unset_keepalive_if_required()  # not by the line breaks that may come before, or they would keep it open
        self._is_in_headers = True
        self._is_with_app = False
        self._header_bytes = self._hosts = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """What uvicorn does, counted; its own is not called, because this is where the time of a request goes."""
        if not self._is_in_headers:
            return  # a trailer, which must not pass for a header
        name = name.lower()
        self._header_bytes += len(name) + len(value) + 4
        if name == b"host":
            self._hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._is_in_headers, self._is_in_body = False, True
        self._unfinished_bytes = 0
        if self._header_bytes + len(self.url) > HEADER_BYTES:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise Refused
        if self._hosts != 1 and (self._hosts or self.parser.get_http_version() != "1.0"):
            raise Refused  # RFC 9112 §3.2
        if b"%" in self.url and _CONTROL_IN_PATH.match(self.url):
            raise Refused
        if self.url[:1] != b"/" and not self._is_for_host():
            raise Refused
        if len(self.pipeline) >= PIPELINED:
            raise Refused
        self._is_upgrade = self.parser.should_upgrade()
        if self._is_upgrade:
            if self.parser.get_method() == b"CONNECT":
                raise Refused
            return
        self._unset_keepalive_if_required()  # the answer to the one before may have been whole only since
        if self._slow is not None:  # the body has its own time
            self._slow.cancel()
            self._slow = None
        super().on_headers_complete()
        self._is_with_app = True

    def _is_for_host(self) -> bool:
        """RFC 9112 §3.2.2 puts the authority of an absolute address above Host; who goes by Host would be deceived."""
        _, separator, rest = self.url.partition(b"://")
        if not separator:
            return True
        authority = re.split(rb"[/?]", rest, maxsplit=1)[0].lower()
        return not self._hosts or any(name == b"host" and value.lower() == authority for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        self._unfinished_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_in_body = self._is_with_app = False
        self._unfinished_bytes = 0
        if not self._is_upgrade:
            super().on_message_complete()
            self._last_whole = self.cycle
