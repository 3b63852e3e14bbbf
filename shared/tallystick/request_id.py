"""The name that a piece of work has in every log line about it, in whichever service: X-Request-ID."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

HEADER = "X-Request-ID"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request being served, or of a round of work that none asked for; empty outside of both."""


def outgoing_headers() -> dict[str, str]:
    """For a request of ours to another service."""
    current = request_id.get()
    return {HEADER: current} if current else {}


async def send_request_id(request: Any) -> None:
    """The same as a hook: `httpx.AsyncClient(event_hooks={"request": [send_request_id]})`."""
    request.headers.update(outgoing_headers())


@contextmanager
def own_request_id() -> Iterator[str]:
    """An id for a piece of work that no request asked for: for its log lines, and for what it sends."""
    token = request_id.set(secrets.token_hex(16))
    try:
        yield request_id.get()
    finally:
        request_id.reset(token)
