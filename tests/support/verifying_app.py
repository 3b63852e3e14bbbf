"""The smallest API: 200 for an accepted token, else 401 or 503. The body is the id of the process.

`application` is for WSGI servers, and `app` for ASGI servers. As a program, it verifies the token of each line of its
input with an event loop of its own, and prints the status. The environment has ISSUER, INTERNAL_URL,
AUDIENCE and FIRST_TOKEN, which is verified at import: with `gunicorn --preload` that is before the fork.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

from tallystick import InvalidToken, TemporarilyUnavailable, Verifier

verifier = Verifier(os.environ["ISSUER"], os.environ["AUDIENCE"], internal_url=os.environ["INTERNAL_URL"])
async_verifier = verifier.as_async()


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    status = status_of(environ["HTTP_AUTHORIZATION"].removeprefix("Bearer "))
    start_response(f"{status} {HTTPStatus(status).phrase}", [])
    return [str(os.getpid()).encode()]


async def app(scope: dict[str, Any], receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    assert scope["type"] == "http"  # without a lifespan, the verifier uses its thread
    authorization = dict(scope["headers"])[b"authorization"].decode()
    status = await async_status_of(authorization.removeprefix("Bearer "))
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


def status_of(token: str) -> int:
    try:
        verifier.verify(token)
    except (InvalidToken, TemporarilyUnavailable) as refused:
        return refused.status
    return 200


async def async_status_of(token: str) -> int:
    try:
        await async_verifier.verify(token)
    except (InvalidToken, TemporarilyUnavailable) as refused:
        return refused.status
    return 200


if "FIRST_TOKEN" in os.environ:
    status_of(os.environ["FIRST_TOKEN"])

if __name__ == "__main__":
    for line in sys.stdin:
        print(asyncio.run(async_status_of(line.strip())), flush=True)
