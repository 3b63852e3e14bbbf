"""GET /metrics: for a caller on this machine, or on a port of its own."""

import re
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tallystick.urls import is_loopback

PATH = "/metrics"

_PROXY_PREFIXES = (
    "forwarded",
    "via",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original",
    "true-client-ip",
    "cf-connecting-ip",
)
"""How the names of the headers begin that proxies add."""

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::[0-9]{1,5})?")

Render = Callable[[str], tuple[bytes, str]]
"""From an Accept header to a body and its media type."""


class MetricsEndpoint:
    """The outermost of all middleware, because it goes by who is at the other end of the connection itself.

    Without a `port` of its own, /metrics is answered to a peer on loopback that calls us by a loopback name and is no
    proxy; to all others it is a path like any unknown one. With one, that port serves /metrics alone, to whoever can
    reach it, and the others do not have it.
    """

    def __init__(self, app: ASGIApp, *, render: Render, port: int | None) -> None:
        self._app = app
        self._render = render
        self._port = port

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine itself: it stands in the way of every request.
        if scope["type"] == "http":
            if self._port is not None:
                if scope["server"] and scope["server"][1] == self._port:
                    return self._answer(scope, send)
            elif scope["path"] == PATH and scope["method"] in ("GET", "HEAD") and _is_of_this_machine(scope):
                return self._answer(scope, send)
        return self._app(scope, receive, send)

    async def _answer(self, scope: Scope, send: Send) -> None:
        status, body, media_type = 404, b"", "text/plain"
        if scope["path"] == PATH and scope["method"] in ("GET", "HEAD"):
            status = 200
            try:
                body, media_type = self._render(",".join(Headers(scope=scope).getlist("accept")))
            except (TypeError, ValueError):  # the library parses versions that are none
                body, media_type = self._render("")
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _is_of_this_machine(scope: Scope) -> bool:
    """As far as can be told: a proxy that passes on no word about itself looks like a caller on this machine.

    A name rebound to us in DNS is no loopback name. HTTP/1.0 is what nginx before 1.29.7 speaks unless told otherwise,
    and it sends a loopback Host and none of the headers.
    """
    if not scope.get("client") or not is_loopback(scope["client"][0]) or scope["http_version"] == "1.0":
        return False
    headers = Headers(scope=scope)
    host = _HOST.fullmatch(headers.get("host", "").lower())
    if host is None or not is_loopback(host[1] or host[2]):
        return False
    return not any(name.startswith(_PROXY_PREFIXES) for name in headers)
