"""HTTP/1.1 with the bounds that uvicorn's httptools protocol leaves open.

Refused before an application sees it: a head that `head_refusal` rejects, a request that arrives too slowly, and a long
queue of requests on one connection. `tallystick_service.asgi.BodyLimit` bounds the size of a body. A connection whose
peer does not read its responses is closed. `ConnectionLimiter` bounds connections and bytes over all peers.

This overrides internals of uvicorn, so pyproject.toml pins uvicorn and httptools to one minor version.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Literal

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tallystick_service.server.connection_limiter import ConnectionLimiter, network_of
from tallystick_service.server.limits import ServerLimits
from tallystick_service.server.request_head import MAX_HEADER_BYTES, head_refusal
from tallystick_service.server.write_stall_detector import WriteStallDetector

MAX_PIPELINED = 32
"""Requests that may wait for the response to the one before. Further ones are not read: each costs a hundred times its
bytes, and a packet has room for thousands."""

WRITE_BUFFER_BYTES = 16 * 1024
"""Written and not yet read by the peer. Above it an application waits before it writes more, and the bytes are counted
in `ServerLimits.max_held_bytes`. Uncounted bytes are at most `max_connections` times this."""
MAX_COUNTED_REQUEST_BYTES = 256 * 1024
"""Of one connection's requests. An application that streams a larger body does not keep it in memory."""


class Refused(Exception):
    """Raised in a parser callback. httptools turns it into HttpParserCallbackError."""


class BoundedProtocol(HttpToolsProtocol):
    def __init__(self, *args: Any, limiter: ConnectionLimiter, limits: ServerLimits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.network = ""
        self._limiter = limiter
        self._request_timeout = limits.request_timeout
        self._stall_detector = WriteStallDetector(limits.stall_timeout)
        self._request_bytes = 0  # received since the last moment at which no request was incomplete or waiting
        self._held = 0  # the value last passed to the limiter
        self._ignores_input = False
        self._expects: Literal["headers", "body"] | None = "headers"  # a connection that sends nothing is slow, too
        self._bytes_since_progress = 0  # since the headers, a part of the body, or the whole request was complete
        self._is_dispatched = False  # the request that is being read has a cycle, which runs or waits in the pipeline
        self._last_complete: RequestResponseCycle | None = None  # of the last request that was received entirely
        self._running: RequestResponseCycle | None = None
        self._offers_upgrade = False
        self._refusal = HTTPStatus.BAD_REQUEST
        self._request_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        if self.client is not None:
            self.network = network_of(self.client[0])
        self._limiter.add(self, self.loop)
        self._update_state()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expects = None
        self._cancel_request_deadline()
        self._limiter.remove(self)
        super().connection_lost(exc)
        # uvicorn notifies only the request that was read last. The running one may be an earlier one, and would write
        # to the closed transport, which logs a traceback each time.
        for cycle in (self._running, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # Reading

    def data_received(self, data: bytes) -> None:
        if self._ignores_input:
            return
        self._bytes_since_progress += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse(self._refusal)
        # The parser reports a header or trailer when it is complete, so an endless one would fill the memory.
        if self._bytes_since_progress > MAX_HEADER_BYTES and not self._ignores_input:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if self._expects or self.pipeline:
            self._request_bytes += len(data)
        else:
            self._request_bytes = 0
        self._update_held_bytes()
        self._update_state()

    def _parse(self, data: bytes | memoryview) -> None:
        """Feed the parser. A request that offers an upgrade (Java's client offers h2c) is read as plain HTTP/1.1.

        The parser stops after the headers of such a request, and would read its body as another request. A new parser
        gets the same head without the offer, and then the rest of `data`.
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

    def _refuse(self, status: HTTPStatus) -> None:
        self._expects = None
        if self.transport.is_closing():
            return
        if self._last_complete is not None and not self._last_complete.response_complete:
            self._close_after(self._last_complete)
            return
        if not (self._is_dispatched and self.cycle.response_started):  # a request gets one response
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        if self._is_dispatched:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _close_after(self, last: RequestResponseCycle) -> None:
        """Respond to every request up to `last`, which were received entirely, and ignore the input behind them."""
        self._ignores_input = True
        if self._is_dispatched:  # the refused request waits in the pipeline; the newest is the leftmost
            self.pipeline.popleft()
        self.cycle = last
        last.keep_alive = False
        self.flow.resume_reading()  # closing a socket with unread input resets it, and the response would be lost
        self._update_state()

    # State for the limiter

    def _update_state(self) -> None:
        """Start or stop the deadline of an incomplete request. A request that arrives in one packet needs no timer."""
        # A request behind another is not read until its turn, even if the peer has sent all of it.
        if self._expects == "headers" or (self._expects == "body" and not self.pipeline):
            self._limiter.mark_reading(self)
            if self._request_deadline is None:
                self._request_deadline = self.loop.call_later(self._request_timeout, self._time_out)
            return
        self._cancel_request_deadline()
        self._update_response_state()

    def _update_response_state(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            if self.flow.write_paused:
                self._limiter.mark_unread(self)
            else:
                self._limiter.mark_busy(self)
        elif self.transport.get_write_buffer_size():
            self._limiter.mark_unread(self)
        else:
            self._limiter.mark_idle(self)

    def _update_held_bytes(self) -> None:
        """Tell the limiter how many bytes this connection makes the process keep. It is nearly always none."""
        held = min(self._request_bytes, MAX_COUNTED_REQUEST_BYTES)
        if self.flow.write_paused:
            held += self.transport.get_write_buffer_size()
        if held != self._held:
            self._held = held
            self._limiter.hold(self, held)

    def _time_out(self) -> None:
        self._request_deadline = None
        self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _cancel_request_deadline(self) -> None:
        if self._request_deadline is not None:
            self._request_deadline.cancel()
            self._request_deadline = None

    # Writing

    def pause_writing(self) -> None:
        super().pause_writing()
        self._update_held_bytes()
        if not self._expects:
            self._update_response_state()

    def resume_writing(self) -> None:
        self._stall_detector.note_progress()
        super().resume_writing()
        self._update_held_bytes()
        if not self._expects:
            self._update_response_state()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._expects or self.pipeline:
            self._update_state()
            return
        if self._request_bytes:
            self._request_bytes = 0
            self._update_held_bytes()
        self._update_response_state()

    def has_stalled(self, now: float) -> bool:
        return self._stall_detector.has_stalled(self.transport.get_write_buffer_size(), now)

    def abort(self) -> None:
        self.transport.abort()

    # Parser callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._unset_keepalive_if_required()  # here, because line breaks between requests must not extend the time
        self._expects = "headers"
        self._is_dispatched = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._expects == "headers":  # else it is a trailer, which must not be taken for a header
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._expects = "body"
        self._bytes_since_progress = 0
        refusal = head_refusal(self.url, self.headers, version=self.parser.get_http_version())
        if refusal is not None:
            self._refusal = refusal
            raise Refused
        if len(self.pipeline) >= MAX_PIPELINED:
            raise Refused
        self._offers_upgrade = self.parser.should_upgrade()
        if self._offers_upgrade:
            if self.parser.get_method() == b"CONNECT":
                raise Refused
            return
        self._unset_keepalive_if_required()  # the response before may have ended since this request began
        self._cancel_request_deadline()  # the body has its own
        super().on_headers_complete()
        self._is_dispatched = True

    def on_body(self, body: bytes) -> None:
        self._bytes_since_progress = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._expects = None
        self._is_dispatched = False
        self._bytes_since_progress = 0
        if not self._offers_upgrade:
            super().on_message_complete()
            self._last_complete = self.cycle
