"""CORS: which endpoints scripts of other origins may call."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import BaseRoute, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth_service.http.route_traits import ANY_ORIGIN, CLIENT_ORIGINS, REGISTRATION
from tallystick.errors import TemporarilyUnavailable

_METHODS = ("GET", "POST", "PUT", "DELETE")

_VARY = b"Origin"
_EXPOSE = (b"access-control-expose-headers", b"WWW-Authenticate, ETag, Link, Retry-After")

_HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_MAX_HEADER_NAMES_LENGTH = 1024
"""Characters of Access-Control-Request-Headers. A browser sends the names that a script sets, sorted, no values."""


@dataclass(frozen=True)
class CrossOriginRule:
    """The requests that scripts may send to one path. `clients_only`: only scripts at an origin of a public client."""

    methods: tuple[str, ...]
    clients_only: bool


class CrossOriginRules:
    """The rules by path, taken from the traits of the routes."""

    def __init__(self, routes: Iterable[BaseRoute], *, offers_registration: bool) -> None:
        routes = list(routes)
        methods: dict[str, set[str]] = {}
        for trait in (ANY_ORIGIN, CLIENT_ORIGINS, *([REGISTRATION] if offers_registration else [])):
            for route in trait.routes(routes):
                methods.setdefault(str(route.path), set()).update(route.methods or ())
        clients_only = {route.path for route in CLIENT_ORIGINS.routes(routes)}
        self._by_path: dict[str, CrossOriginRule] = {}
        self._by_pattern: list[tuple[re.Pattern[str], CrossOriginRule]] = []
        for path, allowed in methods.items():
            rule = CrossOriginRule(
                tuple(method for method in _METHODS if method in allowed), clients_only=path in clients_only
            )
            if "{" in path:
                self._by_pattern.append((compile_path(path)[0], rule))
            else:
                self._by_path[path] = rule

    def find(self, path: str) -> CrossOriginRule | None:
        """None for a path that scripts of other origins may not call."""
        rule = self._by_path.get(path)
        if rule is not None:
            return rule
        return next((rule for pattern, rule in self._by_pattern if pattern.fullmatch(path)), None)


class CrossOrigin:
    """The Fetch standard's CORS protocol, without credentials: no response here depends on a cookie.

    `is_client_origin` tells whether a public client has a redirect URI at an origin. A preflight allows all request
    headers that it asks for. Libraries add many (X-Requested-With, DPoP, MCP-Protocol-Version, traceparent, ...), and
    without a cookie no header gives access to anything.
    """

    def __init__(
        self, app: ASGIApp, *, rules: CrossOriginRules, is_client_origin: Callable[[str], Awaitable[bool]]
    ) -> None:
        self.app = app
        self._rules = rules
        self._is_client_origin = is_client_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rule = self._rules.find(scope["path"]) if scope["type"] == "http" else None
        if rule is None:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        allowed_origin = await self._allowed_origin(rule, headers.get("origin"))
        if scope["method"] == "OPTIONS":
            await _options_response(allowed_origin, rule.methods, headers)(scope, receive, send)
            return
        added = [(b"vary", _VARY)]
        if allowed_origin is not None:
            added += [(b"access-control-allow-origin", allowed_origin.encode("latin-1")), _EXPOSE]

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self.app(scope, receive, send_with_cors)

    async def _allowed_origin(self, rule: CrossOriginRule, origin: str | None) -> str | None:
        """The value of Access-Control-Allow-Origin; None if this origin may not call the endpoint."""
        if not rule.clients_only:
            return "*"
        if origin is None:
            return None
        try:
            return origin if await self._is_client_origin(origin) else None
        except TemporarilyUnavailable:
            return None  # the endpoint itself will answer 503


def _options_response(allowed_origin: str | None, methods: tuple[str, ...], headers: Headers) -> Response:
    """The response to a preflight, or to a plain OPTIONS request (RFC 9110 §9.3.7)."""
    answer = {"Vary": "Origin, Access-Control-Request-Headers"}
    if "access-control-request-method" not in headers:
        head = ("HEAD",) if "GET" in methods else ()
        return Response(status_code=204, headers=answer | {"Allow": ", ".join((*methods, *head, "OPTIONS"))})
    if allowed_origin is None:
        return Response(status_code=403, headers=answer)
    requested = ", ".join(headers.getlist("access-control-request-headers"))
    if requested and (len(requested) > _MAX_HEADER_NAMES_LENGTH or not _HEADER_NAMES.fullmatch(requested)):
        return Response(status_code=400, headers=answer)
    answer |= {
        "Access-Control-Allow-Origin": allowed_origin,
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Max-Age": "600",
    }
    if requested:
        answer["Access-Control-Allow-Headers"] = requested
    return Response(status_code=204, headers=answer)
