"""An id for each request, which every log line about it contains, and one log line for the request itself."""

import logging
import re
import secrets
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallystick.request_id import request_id
from tallystick_service.asgi.endpoints import template_of
from tallystick_service.asgi.request_facts import RequestFacts, request_facts
from tallystick_service.asgi.route_trait import RouteTrait

access_logger = logging.getLogger("tallystick.access")

POLLED = RouteTrait("polled")
"""Marks endpoints that probes and verifiers call every few seconds. Their successful requests are logged at DEBUG."""

_WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{8,128}")


class RequestId:
    """Take a well-formed X-Request-ID from the request or generate one, and return it in the response.

    Logs method, endpoint, status (null when there was no response), milliseconds, and the registered client if the
    request named one, on `tallystick.access`; at DEBUG for successful requests to `POLLED` endpoints. `endpoint` is the
    route's path template, because the path or query as sent may hold a code or a token. `count` gets endpoint, method,
    status (0 for none) and seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        endpoint: Callable[[Scope], str] = template_of,
        count: Callable[[str, str, int, float], None] | None = None,
    ) -> None:
        self._app = app
        self._endpoint = endpoint
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = _given(scope) or secrets.token_hex(16).encode()
        request_id.set(header.decode())
        facts = RequestFacts(scope)
        request_facts.set(facts)
        status = 0
        begin = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", header)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - begin
            endpoint = self._endpoint(scope)
            if self._count is not None:
                self._count(endpoint, scope["method"], status, seconds)
            level = logging.DEBUG if status < 400 and POLLED.is_on(scope) else logging.INFO
            if access_logger.isEnabledFor(level):
                fields: dict[str, object] = {
                    "method": scope["method"],
                    "endpoint": endpoint,
                    "status": status or None,
                    "milliseconds": round(seconds * 1000, 1),
                }
                if facts.client_id is not None:
                    fields["client_id"] = facts.client_id
                access_logger.log(level, "request", extra={"fields": fields})


def _given(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value if _WELL_FORMED.fullmatch(value) else None
    return None
