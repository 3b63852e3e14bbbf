"""HTTP/1.1 with the bounds that uvicorn's httptools protocol leaves open.

Refused before an application sees it: too many header bytes or fields, a request that trickles in, more or less than
one Host or two that differ, a path with control characters, a transfer coding other than chunked, a long queue of
requests on one connection. `tallystick_service.asgi.BodyLimit` bounds the size of a body.

A peer that does not read its answers is disconnected. `ConnectionLimiter` bounds connections and bytes over all peers.
"""

import asyncio
import re
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tallystick_service.server.connection_limiter import ConnectionLimiter, network_of
from tallystick_service.server.write_stall_detector import WriteStallDetector

HEADER_BYTES = 32 * 1024
HEADER_FIELDS = 128
"""A field of five bytes costs thirty times as many in memory."""
HEADER_SECONDS = 10.0
"""From a connection's or request's first byte to the end of its headers; as long again for its body."""

PIPELINED = 32
"""Requests that may wait for the answer to the one before. Further ones are not read: each costs a hundred times its
bytes, and a packet has room for thousands."""

WRITE_BUFFER_BYTES = 16 * 1024
"""Written and not yet read, above which an application waits before it writes more, and the bytes are counted among
those of all connections. All below the mark together are within 4,096 times this."""
COUNTED_REQUEST_BYTES = 256 * 1024
"""Of one connection's requests, at most: an application that streams a larger body does not keep it."""

_CONTROL_IN_PATH = re.compile(rb"[^?]*%(?:[01][0-9a-f]|7f)", re.IGNORECASE)
"""No path of ours has any, and readers differ in what they make of them: a router overlooks a line break at the end,
the exact rules of a proxy in front of it do not."""


class Refused(Exception):
    """Raised inside the parser, which passes it on as an error of its own."""


class BoundedProtocol(HttpToolsProtocol):
    def __init__(self, *args: Any, limiter: ConnectionLimiter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.network = ""
        self._limiter = limiter
        self._stall_detector = WriteStallDetector()
        self._request_bytes = 0  # received since the last moment at which no request was incomplete or waiting
        self._held = 0  # as the limiter was told
        self._is_deaf = False
        self._is_in_headers = True  # a connection that sends nothing counts as slow, too
        self._is_in_body = False
        self._is_with_app = False  # what is being read: a request that an application has already
        self._last_whole: RequestResponseCycle | None = None
        self._answered: RequestResponseCycle | None = None
        self._is_upgrade = False
        self._unfinished_bytes = 0  # that came since a request's headers, a part of its body, or it all was complete
        self._header_bytes = 0
        self._hosts = 0
        self._codings: tuple[bytes, ...] = ()
        self._refusal = HTTPStatus.BAD_REQUEST
        self._slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        if self.client is not None:
            self.network = network_of(self.client[0])
        self._limiter.add(self, self.loop)
        self._watch_slowness()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_in_headers = self._is_in_body = False
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
        self._limiter.remove(self)
        super().connection_lost(exc)
        # uvicorn tells only the request that was read last; the one being answered may be an earlier one, and would
        # write to the closed transport, with a traceback in the log for each.
        for cycle in (self._answered, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

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
        if self._is_in_headers or self._is_in_body or self.pipeline:
            self._request_bytes += len(data)
        else:
            self._request_bytes = 0
        self._count_held()
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
        """Start or stop the timer of an incomplete request; one that arrives whole, as nearly all do, costs none."""
        # A request behind another is not read until its turn, even if the peer has sent all of it.
        if self._is_in_headers or (self._is_in_body and not self.pipeline):
            self._limiter.mark_reading(self)
            if self._slow is None:
                self._slow = self.loop.call_later(HEADER_SECONDS, self._close_slow)
            return
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
        self._mark_answering()

    def _mark_answering(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            if self.flow.write_paused:
                self._limiter.mark_unread(self)
            else:
                self._limiter.mark_busy(self)
        elif self.transport.get_write_buffer_size():
            self._limiter.mark_unread(self)
        else:
            self._limiter.mark_idle(self)

    def _count_held(self) -> None:
        """Tell the limiter what this connection makes us keep. Nearly always that is nothing, and costs nothing."""
        held = min(self._request_bytes, COUNTED_REQUEST_BYTES)
        if self.flow.write_paused:
            held += self.transport.get_write_buffer_size()
        if held != self._held:
            self._held = held
            self._limiter.hold(self, held)

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

    # A peer that does not read

    def pause_writing(self) -> None:
        super().pause_writing()
        self._count_held()
        if not (self._is_in_headers or self._is_in_body):
            self._mark_answering()

    def resume_writing(self) -> None:
        self._stall_detector.note_progress()
        super().resume_writing()
        self._count_held()
        if not (self._is_in_headers or self._is_in_body):
            self._mark_answering()

    def has_stalled(self, now: float) -> bool:
        return self._stall_detector.has_stalled(self.transport.get_write_buffer_size(), now)

    def give_up(self) -> None:
        self.transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._request_bytes and not (self._is_in_headers or self._is_in_body or self.pipeline):
            self._request_bytes = 0
            self._count_held()
        if self._is_in_headers or self._is_in_body or self.pipeline:
            self._watch_slowness()
        else:
            self._mark_answering()

    # What the parser finds

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._unset_keepalive_if_required()  # not by the line breaks that may come before, or they would keep it open
        self._is_in_headers = True
        self._is_with_app = False
        self._header_bytes = self._hosts = 0
        self._codings = ()

    def on_header(self, name: bytes, value: bytes) -> None:
        """What uvicorn does, counted; its own is not called, because this is where the time of a request goes."""
        if not self._is_in_headers:
            return  # a trailer, which must not pass for a header
        name = name.lower()
        self._header_bytes += len(name) + len(value) + 4
        if name == b"host":
            self._hosts += 1
        elif name == b"transfer-encoding":
            self._codings += tuple(coding.strip().lower() for coding in value.split(b","))
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._is_in_headers, self._is_in_body = False, True
        self._unfinished_bytes = 0
        if self._header_bytes + len(self.url) > HEADER_BYTES or len(self.headers) > HEADER_FIELDS:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise Refused
        if self._hosts != 1 and (self._hosts or self.parser.get_http_version() != "1.0"):
            raise Refused  # RFC 9112 §3.2
        if self._codings and self._codings != (b"chunked",):
            if self._codings[-1] == b"chunked" and self._codings.count(b"chunked") == 1:
                self._refusal = HTTPStatus.NOT_IMPLEMENTED  # RFC 9112 §6.1; any other order is malformed (§6.3)
            raise Refused
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
