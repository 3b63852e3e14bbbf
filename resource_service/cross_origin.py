"""CORS: any origin may read the metadata, and the configured origins may call the API."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

EXPOSED = ("ETag", "Link", "Location", "Retry-After", "WWW-Authenticate")


class CrossOrigin:
    """CORS without credentials, because a token is sent by a script and never by the browser itself.

    Any request header is allowed: libraries add their own, such as traceparent or X-Requested-With, and no header but
    Authorization gives access. With "*" the middleware answers with the names that the browser asked about.
    """

    def __init__(self, app: ASGIApp, *, allowed_origins: Sequence[str]) -> None:
        self._for_all = CORSMiddleware(app, allow_origins=("*",), allow_headers=("*",))
        self._for_apps = CORSMiddleware(
            app,
            allow_origins=allowed_origins,
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_metadata = scope["type"] == "http" and scope["path"].startswith("/.well-known/")
        await (self._for_all if is_metadata else self._for_apps)(scope, receive, send)
