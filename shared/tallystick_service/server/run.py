"""Run an application in this process."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from socket import socket
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from tallystick_service.server.connection_limiter import ConnectionLimiter
from tallystick_service.server.file_limit import raise_file_limit
from tallystick_service.server.limits import ServerLimits
from tallystick_service.server.listen import BACKLOG
from tallystick_service.server.protocol import BoundedProtocol
from tallystick_service.server.uvicorn_server import Server
from tallystick_service.server.worker import Worker

FAILED_START = 3
"""The exit status when the application's lifespan fails to start."""


def run(
    app: ASGIApp,
    sockets: list[socket],
    limits: ServerLimits,
    *,
    on_ready: Callable[[], None],
    worker: Worker | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT, as a worker until the parent has ended, too. Return the exit status."""
    # Half of the files: the loop may accept a whole backlog before it closes the first connection that was evicted.
    max_files = raise_file_limit(2 * limits.max_connections)
    limits = replace(limits, max_connections=min(limits.max_connections, max_files // 2))
    protocol = partial(BoundedProtocol, limiter=ConnectionLimiter(limits), limits=limits)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=cast(type[asyncio.Protocol], protocol),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=limits.max_connections + BACKLOG,  # reached when all connections are busy
        timeout_keep_alive=cast(int, limits.keep_alive_timeout),
        timeout_graceful_shutdown=limits.shutdown_timeout,
    )
    server = Server(config, on_ready=on_ready, worker=worker)
    if worker is None:
        server.handle_signals()
    server.run(sockets)
    return 0 if server.started else FAILED_START
