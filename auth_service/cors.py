"""Which pages of other origins may call us from a script (the Fetch standard's CORS protocol)."""

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth_service.provider import Provider
from tallystick.errors import TemporarilyUnavailable

_FOR_ANYONE = frozenset(
    {
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/jwks",
        "/status-lists",
        "/status-lists/1",
        "/userinfo",
    }
)
_CROSS_ORIGIN = _FOR_ANYONE | {"/token", "/revoke"}  # these two for public clients
_VARY = (b"vary", b"Origin")
_EXPOSE = (b"access-control-expose-headers", b"WWW-Authenticate, ETag, Link")


class CrossOrigin:
    """Never with credentials: no answer here depends on a cookie."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in _CROSS_ORIGIN:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        allowed = await _allowed_origin(scope, headers.get("origin"))
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(allowed)(scope, receive, send)
            return
        added = [_VARY]
        if allowed is not None:
            added += [(b"access-control-allow-origin", allowed.encode("latin-1")), _EXPOSE]

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self.app(scope, receive, send_with_cors)


async def _allowed_origin(scope: Scope, origin: str | None) -> str | None:
    if scope["path"] in _FOR_ANYONE:
        return "*"
    if origin is None:
        return None
    provider: Provider = scope["app"].state.provider
    try:
        return origin if await provider.registry.is_public_origin(origin) else None
    except TemporarilyUnavailable:
        return None  # the endpoint itself will say so


def _preflight(allowed: str | None) -> Response:
    if allowed is None:
        return Response(status_code=403, headers={"Vary": "Origin"})
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Origin": allowed,
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        },
    )
