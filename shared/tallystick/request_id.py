"""The request id that log lines and outgoing requests of one piece of work share, across services: X-Request-ID."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

HEADER = "X-Request-ID"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the current request, or of the current background work. Empty outside of both."""


def outgoing_headers() -> dict[str, str]:
    """The headers that pass the current id on to another service."""
    current = request_id.get()
    return {HEADER: current} if current else {}


async def send_request_id(request: Any) -> None:
    """An event hook that adds these headers: `httpx.AsyncClient(event_hooks={"request": [send_request_id]})`."""
    request.headers.update(outgoing_headers())


@contextmanager
def own_request_id() -> Iterator[str]:
    """A new id for background work, for its log lines and outgoing requests."""
    token = request_id.set(secrets.token_hex(16))
    try:
        yield request_id.get()
    finally:
        request_id.reset(token)
