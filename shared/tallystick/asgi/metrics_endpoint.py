"""GET /metrics: for a caller on this machine, or on a port of its own."""

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tallystick.urls import is_loopback

PATH = "/metrics"

_PROXY_HEADERS = frozenset({"forwarded", "via", "x-real-ip"})

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
    """A name that leads here from elsewhere is no loopback name: neither a proxy's, nor one rebound to us in DNS."""
    headers = Headers(scope=scope)
    if not scope.get("client") or not is_loopback(scope["client"][0]) or not is_loopback(_host(headers)):
        return False
    return not any(name in _PROXY_HEADERS or name.startswith("x-forwarded") for name in headers)


def _host(headers: Headers) -> str:
    host = headers.get("host", "").lower()
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
