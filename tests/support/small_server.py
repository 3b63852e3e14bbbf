"""A small service behind the real server: `python -m tests.support.small_server PORT WORKERS [FAULT [HANG START]]`.

FAULT: `unreadable` for a configuration that cannot be read; `misconfigured` or `broken` for a factory that fails;
`lifespan` for a lifespan that fails; `crowded` for at most MAX_CONNECTIONS connections; `tight` for at most
MAX_HELD_BYTES over all connections; two numbers, such as `0.2 1`, for the request and stall timeout and for the
keep-alive timeout, in seconds; `wait PATH` for a lifespan that starts when the file PATH exists; `file:PATH` for a file
that contains one of these or any other word, and is read again at each reload. HANG and START: the hang timeout and
the start timeout, in seconds.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from tallystick_service.server import Application, ServeOptions, ServerLimits, serve_configured
from tallystick_service.settings import Misconfigured, exit_on_misconfiguration

MAX_CONNECTIONS = 10
MAX_HELD_BYTES = 4_000_000
_MEGABYTE = b"x" * 1_000_000


async def app(fault: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Responds with what it saw of the request. A path is `/large`, `/later`, `/early`, `/begun`, `/block` (the event
    loop, for ever) or seconds to wait.
    """
    if scope["type"] == "lifespan":
        await receive()
        kind, _, path = fault.partition(" ")
        while kind == "wait" and not await asyncio.to_thread(Path(path).exists):  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.02)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] in {"/large", "/early", "/later"}:  # respond before the body is complete
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
    if scope["path"] == "/block":
        pid = str(os.getpid()).encode()
        length = [(b"content-length", str(len(pid)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": pid})
        await asyncio.sleep(0)  # the event loop writes the response
        while True:
            time.sleep(1)  # noqa: ASYNC251 - this is the fault
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    await asyncio.sleep(float(scope["path"].strip("/") or 0))
    answer = {
        "pid": os.getpid(),
        "fault": fault,
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
    await send({"type": "lifespan.startup.failed", "message": "the test wants a failing lifespan"})


def factory(fault: str) -> ASGIApp:
    match fault:
        case "misconfigured":
            raise Misconfigured("the test wants a misconfiguration")
        case "broken":
            raise RuntimeError("the test wants a failing factory")
        case "lifespan":
            return failing_app

    async def with_fault(scope: Scope, receive: Receive, send: Send) -> None:
        await app(fault, scope, receive, send)

    return with_fault


def limits_of(fault: str) -> ServerLimits:
    match fault:
        case "crowded":
            return ServerLimits(max_connections=MAX_CONNECTIONS)
        case "tight":
            return ServerLimits(max_held_bytes=MAX_HELD_BYTES)
        case numbers if numbers[:1].isdigit():
            timeout, keep_alive = map(float, numbers.split())
            return ServerLimits(
                request_timeout=timeout,
                stall_timeout=timeout,
                stall_check_interval=timeout / 2,
                keep_alive_timeout=keep_alive,
            )
    return ServerLimits()


def main(port: str, workers: str, fault: str = "", hang_timeout: str = "30", start_timeout: str = "90") -> None:
    limits = replace(limits_of(fault), hang_timeout=float(hang_timeout), start_timeout=float(start_timeout))

    def load() -> Application:
        kind, _, path = fault.partition(":")
        current = Path(path).read_text() if kind == "file" else fault
        if current == "unreadable":
            raise Misconfigured("the test wants an unreadable configuration")
        return Application(lambda **_: factory(current))

    with exit_on_misconfiguration("small"):
        options = ServeOptions(port=int(port), workers=int(workers))
        raise SystemExit(serve_configured(load, options, name="small", limits=limits))


if __name__ == "__main__":
    main(*sys.argv[1:])
