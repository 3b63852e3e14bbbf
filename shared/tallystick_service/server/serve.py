"""`serve`: run an application in one or several processes that listen on the same sockets."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from signal import SIGINT, SIGTERM, signal
from socket import socket
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from tallystick_service.metrics.shared_counters import SharedCounters
from tallystick_service.server.connection_limiter import ConnectionLimiter
from tallystick_service.server.file_limit import raise_file_limit
from tallystick_service.server.limits import DEFAULT_LIMITS, ServerLimits
from tallystick_service.server.listen import BACKLOG, bind
from tallystick_service.server.logs import configure_logging
from tallystick_service.server.protocol import BoundedProtocol
from tallystick_service.server.supervisor import Worker, supervise
from tallystick_service.server.uvicorn_server import Server
from tallystick_service.settings.misconfigured import Misconfigured, exit_on_misconfiguration

FAILED_START = 3
"""The exit status when the application's lifespan fails to start."""


def serve(
    factory: Callable[[], ASGIApp],
    *,
    name: str,
    host: str | None,
    port: int,
    workers: int = 1,
    counters: SharedCounters | None = None,
    metrics_host: str | None = None,
    metrics_port: int | None = None,
    limits: ServerLimits = DEFAULT_LIMITS,
) -> int:
    """Serve the application that `factory` returns until SIGTERM or SIGINT, and return the exit status: 0 after every
    request that had begun was answered.

    `factory` is called in each process that serves, after the fork; so the caller must hold no thread or connection.
    `host` None means the loopback addresses. Prints one line that begins with `name` when connections are accepted.
    With more than one of `workers`, this process only supervises them. `counters` has a part for each worker.
    `metrics_host` and `metrics_port` are another address to listen on. The server treats it like the first; the
    application can tell them apart.

    Raises Misconfigured when a port is taken, and every exception of `factory`.
    """
    sockets = bind(host, port)
    counters = counters or SharedCounters(workers)
    if metrics_host is not None and metrics_port is None:
        raise Misconfigured("--metrics-host needs --metrics-port")
    if metrics_port is not None:
        if metrics_port == sockets[0].getsockname()[1]:  # the application distinguishes the two addresses by the port
            raise Misconfigured(f"--metrics-port {metrics_port} is the service's own port")
        sockets += bind(metrics_host, metrics_port)
    configure_logging()
    raise_file_limit(2 * limits.max_connections + 256)
    shown = "localhost" if host is None else f"[{host}]" if ":" in host else host
    line = f"{name} listens on http://{shown}:{sockets[0].getsockname()[1]}\n"

    def announce() -> None:
        sys.stdout.write(line)
        sys.stdout.flush()

    def work(worker: Worker) -> int:
        counters.attach(worker.number)
        with exit_on_misconfiguration(name):
            return _run(factory, sockets, limits, on_ready=worker.ready, parent=worker.parent)

    if workers > 1:
        return supervise(work, workers, announce, counters.mark_dead)
    return _run(factory, sockets, limits, on_ready=announce)


def _run(
    factory: Callable[[], ASGIApp],
    sockets: list[socket],
    limits: ServerLimits,
    *,
    on_ready: Callable[[], None],
    parent: int | None = None,
) -> int:
    app = factory()
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
    server = Server(config, on_ready=on_ready, parent=parent)
    for number in (SIGTERM, SIGINT):
        signal(number, server.handle_exit)
    server.run(sockets)
    return 0 if server.started else FAILED_START
