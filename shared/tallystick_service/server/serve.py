"""`serve`: from an application to listening processes that end as they should."""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from signal import SIGINT, SIGTERM, signal
from socket import socket
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from tallystick_service.metrics.shared_counters import SharedCounters
from tallystick_service.server.connection_limiter import ConnectionLimiter
from tallystick_service.server.file_limit import raise_file_limit
from tallystick_service.server.listen import BACKLOG, bind
from tallystick_service.server.logs import configure_logging
from tallystick_service.server.protocol import BoundedProtocol
from tallystick_service.server.supervisor import Worker, supervise
from tallystick_service.server.uvicorn_server import Server
from tallystick_service.settings.misconfigured import Misconfigured, exit_on_misconfiguration

KEEP_ALIVE_SECONDS = 75
"""Longer than the minute after which proxies close theirs, so that they never write to a connection we just closed."""
GRACE_SECONDS = 20
"""What requests under way have for ending."""
CONNECTIONS = 4096
"""Open ones of one process, or fewer where files are scarce. For one more, one is closed that waits for its peer."""
FAILED_START = 3


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
) -> int:
    """Serve what `factory` makes until SIGTERM or SIGINT; return the exit status, 0 after the requests under way.

    `factory` is called in each process that serves, after the fork; so hold no thread or connection when you call this.
    `host` None means the loopback addresses. When connections are accepted, prints one line that begins with `name`.
    With more `workers` than one, this process only supervises them. `counters` has a part for each worker.
    `metrics_host` and `metrics_port` are another address to listen on, which only the app tells apart.

    Raises Misconfigured when a port is taken, and whatever `factory` raises.
    """
    sockets = bind(host, port)
    counters = counters or SharedCounters(workers)
    if metrics_host is not None and metrics_port is None:
        raise Misconfigured("--metrics-host needs --metrics-port")
    if metrics_port is not None:
        if metrics_port == sockets[0].getsockname()[1]:  # connections are told apart by it
            raise Misconfigured(f"--metrics-port {metrics_port} is the service's own port")
        sockets += bind(metrics_host, metrics_port)
    configure_logging()
    raise_file_limit(2 * CONNECTIONS + 256)
    shown = "localhost" if host is None else f"[{host}]" if ":" in host else host
    line = f"{name} listens on http://{shown}:{sockets[0].getsockname()[1]}\n"

    def announce() -> None:
        sys.stdout.write(line)
        sys.stdout.flush()

    def work(worker: Worker) -> int:
        counters.attach(worker.number)
        with exit_on_misconfiguration(name):
            return _run(factory, sockets, on_ready=worker.ready, parent=worker.life)

    if workers > 1:
        return supervise(work, workers, announce, counters.mark_dead)
    return _run(factory, sockets, on_ready=announce)


def _run(
    factory: Callable[[], ASGIApp], sockets: list[socket], *, on_ready: Callable[[], None], parent: int | None = None
) -> int:
    app = factory()
    # Half of the files: a whole backlog may be let in before the first of those who had to go has left.
    connections = min(CONNECTIONS, raise_file_limit(2 * CONNECTIONS) // 2)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=cast(type[asyncio.Protocol], partial(BoundedProtocol, limiter=ConnectionLimiter(connections))),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=connections + BACKLOG,  # all of them busy
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = Server(config, on_ready=on_ready, parent=parent)
    for number in (SIGTERM, SIGINT):
        signal(number, server.handle_exit)
    server.run(sockets)
    return 0 if server.started else FAILED_START
