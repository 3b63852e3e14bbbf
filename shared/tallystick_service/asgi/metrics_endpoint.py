"""GET /metrics, for callers on this machine or on a port of its own."""

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
"""Prefixes of the headers that proxies add."""

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::[0-9]{1,5})?")

Render = Callable[[str], tuple[bytes, str]]
"""Takes an Accept header and returns a body and its media type."""


class MetricsEndpoint:
    """Must be the outermost middleware, because it checks the peer of the connection.

    Without `port`, /metrics is answered to a peer on loopback that uses a loopback name as Host and is not a proxy. For
    others it is an unknown path. With `port`, that port serves /metrics only, to every caller, and the other ports do
    not have it.
    """

    def __init__(self, app: ASGIApp, *, render: Render, port: int | None) -> None:
        self._app = app
        self._render = render
        self._port = port

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine, which would cost time in every request.
        if scope["type"] == "http":
            if self._port is not None:
                if scope["server"] and scope["server"][1] == self._port:
                    return self._answer(scope, send)
            elif scope["path"] == PATH and scope["method"] in ("GET", "HEAD") and _is_local(scope):
                return self._answer(scope, send)
        return self._app(scope, receive, send)

    async def _answer(self, scope: Scope, send: Send) -> None:
        status, body, media_type = 404, b"", "text/plain"
        if scope["path"] == PATH and scope["method"] in ("GET", "HEAD"):
            status = 200
            try:
                body, media_type = self._render(",".join(Headers(scope=scope).getlist("accept")))
            except (TypeError, ValueError):  # the library fails on a malformed version
                body, media_type = self._render("")
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _is_local(scope: Scope) -> bool:
    """Whether the caller seems to be on this machine. A proxy that adds no header cannot be recognized.

    Host is checked, because a DNS name can be rebound to a loopback address. HTTP/1.0 is refused, because nginx before
    1.29.7 uses it by default, with a loopback Host and without any of the headers.
    """
    if not scope.get("client") or not is_loopback(scope["client"][0]) or scope["http_version"] == "1.0":
        return False
    headers = Headers(scope=scope)
    host = _HOST.fullmatch(headers.get("host", "").lower())
    if host is None or not is_loopback(host[1] or host[2]):
        return False
    return not any(name.startswith(_PROXY_PREFIXES) for name in headers)
