"""A small service behind the real server: `python -m tests.support.small_server PORT WORKERS [FAULT]`.

FAULT: `misconfigured` or `broken` for a factory, `lifespan` for a lifespan, that fails; `crowded` for one with room for
CROWD connections; `tight` for one that keeps HELD_BYTES of all connections together; numbers, `0.2 1`, for the seconds
in which headers have to be sent and answers be read, and for those in which a connection without a request is kept
alive.
"""

import asyncio
import json
import os
import sys
from importlib import import_module

from starlette.types import ASGIApp, Receive, Scope, Send

import tallystick_service.server.connection_limiter
import tallystick_service.server.protocol
import tallystick_service.server.write_stall_detector
from tallystick_service.server import serve
from tallystick_service.settings import Misconfigured, exit_on_misconfiguration

CROWD = 10
HELD_BYTES = 4_000_000
_MEGABYTE = b"x" * 1_000_000


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers what it saw of the request; a path is `/large`, `/later`, `/early`, `/begun` or seconds to wait."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] in {"/large", "/early", "/later"}:  # before the body is through
        content = b"" if scope["path"] == "/early" else _MEGABYTE
        if scope["path"] == "/later":
            await asyncio.sleep(0.5)
        length = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": content})
        return
    if scope["path"] == "/begun":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"7")]})
        await asyncio.sleep(1)
        await send({"type": "http.response.body", "body": b"the end"})
        return
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    await asyncio.sleep(float(scope["path"].strip("/") or 0))
    answer = {
        "pid": os.getpid(),
        "client": scope["client"][0],
        "scheme": scope["scheme"],
        "headers": [name.decode() for name, _ in scope["headers"]],
        "body": (body + message.get("body", b"")).decode(),
    }
    content = json.dumps(answer).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(content)).encode())]}
    )
    await send({"type": "http.response.body", "body": content})


async def failing_app(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no luck today"})


def factory(fault: str) -> ASGIApp:
    match fault:
        case "misconfigured":
            raise Misconfigured("the moon is in the wrong phase")
        case "broken":
            raise RuntimeError("a mistake of ours")
        case "lifespan":
            return failing_app
        case "crowded":
            vars(import_module("tallystick_service.server.serve"))["CONNECTIONS"] = CROWD
        case "tight":
            tallystick_service.server.connection_limiter.MAX_HELD_BYTES = HELD_BYTES
        case numbers if numbers:
            patience, keep_alive = map(float, numbers.split())
            tallystick_service.server.protocol.HEADER_SECONDS = (
                tallystick_service.server.write_stall_detector.STALLED_SECONDS
            ) = patience
            tallystick_service.server.connection_limiter.CHECK_INTERVAL = patience / 2
            serving = import_module(
                "tallystick_service.server.serve"
            )  # as an attribute, this name is the function in it
            vars(serving)["KEEP_ALIVE_SECONDS"] = keep_alive
    return app


def main(port: str, workers: str, fault: str = "") -> None:
    with exit_on_misconfiguration("small"):
        raise SystemExit(serve(lambda: factory(fault), name="small", host=None, port=int(port), workers=int(workers)))


if __name__ == "__main__":
    main(*sys.argv[1:])
