"""What pages of other origins may do: call an endpoint from a script (CORS), or show our pages in their popup."""

import re

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth_service.composition import Provider
from tallystick.errors import TemporarilyUnavailable

POPUP_PATHS = frozenset({"/authorize", "/login", "/consent", "/logout", "/logout/confirm"})
"""Every answer on the way through a sign-in or sign-out that an app may run in a popup, refusals included."""

_READ = ("GET",)
_FOR_ANY_ORIGIN = {
    "/.well-known/openid-configuration": _READ,
    "/.well-known/oauth-authorization-server": _READ,
    "/jwks": _READ,
    "/status-lists": _READ,
    "/status-lists/1": _READ,
    "/userinfo": ("GET", "POST"),
}
_FOR_CLIENT_ORIGINS = {"/token": ("POST",), "/revoke": ("POST",)}
_REGISTRATION = "/register"
_MANAGED_REGISTRATION = re.compile(r"/register/[^/]+")

_VARY = b"Origin"
_EXPOSE = (b"access-control-expose-headers", b"WWW-Authenticate, ETag, Link, Retry-After")

_HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_MAX_HEADER_NAMES_LENGTH = 1024
"""Of Access-Control-Request-Headers. A browser sends the names that a script sets, sorted, without values."""


class CrossOrigin:
    """The Fetch standard's CORS protocol, never with credentials: no answer here depends on a cookie.

    A preflight allows whatever request headers it asks for. Libraries add many (X-Requested-With, DPoP,
    MCP-Protocol-Version, traceparent, ...), and none of them grants anything without a cookie.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods = _methods(scope)
        if methods is None:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        allowed = await _allowed_origin(scope, headers.get("origin"))
        if scope["method"] == "OPTIONS":
            await _options(allowed, methods, headers)(scope, receive, send)
            return
        added = [(b"vary", _VARY)]
        if allowed is not None:
            added += [(b"access-control-allow-origin", allowed.encode("latin-1")), _EXPOSE]

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self.app(scope, receive, send_with_cors)


def _methods(scope: Scope) -> tuple[str, ...] | None:
    """What a page of another origin may use at this path; None where it may call nothing."""
    if scope["type"] != "http":
        return None
    path = scope["path"]
    methods = _FOR_ANY_ORIGIN.get(path) or _FOR_CLIENT_ORIGINS.get(path)
    if methods is not None or not path.startswith(_REGISTRATION):
        return methods
    provider: Provider = scope["app"].state.provider
    if not provider.registrations.is_offered:
        return None
    if path == _REGISTRATION:
        return ("POST",)
    return ("GET", "PUT", "DELETE") if _MANAGED_REGISTRATION.fullmatch(path) else None


async def _allowed_origin(scope: Scope, origin: str | None) -> str | None:
    if scope["path"] not in _FOR_CLIENT_ORIGINS:
        return "*"
    if origin is None:
        return None
    provider: Provider = scope["app"].state.provider
    try:
        return origin if await provider.registry.is_public_origin(origin) else None
    except TemporarilyUnavailable:
        return None  # the endpoint answers 503 by itself


def _options(allowed: str | None, methods: tuple[str, ...], headers: Headers) -> Response:
    """A preflight's answer; without Access-Control-Request-Method it is a plain OPTIONS (RFC 9110 §9.3.7)."""
    answer = {"Vary": "Origin, Access-Control-Request-Headers"}
    if "access-control-request-method" not in headers:
        head = ("HEAD",) if "GET" in methods else ()
        return Response(status_code=204, headers=answer | {"Allow": ", ".join((*methods, *head, "OPTIONS"))})
    if allowed is None:
        return Response(status_code=403, headers=answer)
    requested = ", ".join(headers.getlist("access-control-request-headers"))
    if requested and (len(requested) > _MAX_HEADER_NAMES_LENGTH or not _HEADER_NAMES.fullmatch(requested)):
        return Response(status_code=400, headers=answer)
    answer |= {
        "Access-Control-Allow-Origin": allowed,
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Max-Age": "600",
    }
    if requested:
        answer["Access-Control-Allow-Headers"] = requested
    return Response(status_code=204, headers=answer)
