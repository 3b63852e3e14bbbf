"""Requests to an app in process, and the part of the response that every adapter has in common."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from wsgiref.util import setup_testing_defaults

import httpx

from tests.support.token_issuer import AUDIENCE

Headers = list[tuple[str, str | bytes]]

CLAIMS = ("sub", "client_id", "scope", "acr", "auth_time")
"""The members of a successful response of each app, from the claims of the token."""

ENDPOINTS: dict[str, dict[str, Any]] = {
    "/any": {},
    "/notes": {"scopes": ("notes:read",)},
    "/write": {"scopes": ("notes:read", "notes:write")},
    "/recent": {"max_age": 300},
    "/strong": {"acr_values": ("phr", "mfa")},
    "/strict": {"scopes": ("notes:read",), "max_age": 60, "acr_values": ("mfa",)},
}
"""The requirement of each path."""


@dataclass(frozen=True)
class Answer:
    status: int
    challenge: str | None
    retry_after: str | None
    cache_control: str | None
    claims: dict[str, Any] | None


Call = Callable[[str, Headers], Awaitable[Answer]]
"""Sends GET to a path with these headers."""


def shown(claims: Any) -> dict[str, Any]:
    """The body of a successful response."""
    return {name: value for name in CLAIMS if (value := getattr(claims, name, None)) is not None}


def answer_of(response: httpx.Response) -> Answer:
    return Answer(
        status=response.status_code,
        challenge=response.headers.get("www-authenticate"),
        retry_after=response.headers.get("retry-after"),
        cache_control=response.headers.get("cache-control"),
        claims=response.json() if response.status_code == 200 else None,
    )


def asgi(app: Any) -> Call:
    """Calls an ASGI app. An exception of the app fails the test."""

    async def call(path: str, headers: Headers) -> Answer:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as http:
            return answer_of(await http.get(path, headers=encoded(headers)))

    return call


def wsgi(app: Any) -> Call:
    """Calls a WSGI app. Repeated headers are joined with a comma, as gunicorn and uWSGI do."""

    async def call(path: str, headers: Headers) -> Answer:
        joined: dict[bytes, bytes] = {}
        for name, value in encoded(headers):
            joined[name] = joined[name] + b"," + value if name in joined else value
        return await asyncio.to_thread(send, path, joined)

    def send(path: str, headers: dict[bytes, bytes]) -> Answer:
        environ: dict[str, Any] = {"PATH_INFO": path, "HTTP_HOST": httpx.URL(AUDIENCE).host}
        environ |= {_environ_name(name): value.decode("latin-1") for name, value in headers.items()}
        setup_testing_defaults(environ)
        started: list[Any] = []
        body = b"".join(app(environ, lambda *start: started.extend(start)))
        return answer_of(httpx.Response(int(started[0].partition(" ")[0]), headers=started[1], content=body))

    return call


def _environ_name(header: bytes) -> str:
    return f"HTTP_{header.decode().upper().replace('-', '_')}"


def encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers as bytes, text as UTF-8."""
    return [(name.lower().encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers]
