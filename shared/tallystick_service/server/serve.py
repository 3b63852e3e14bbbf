"""`serve`: run an application in one or several processes that listen on the same sockets."""

import logging
import sys
from collections.abc import Callable
from socket import socket

from starlette.types import ASGIApp

from tallystick.errors import TemporarilyUnavailable
from tallystick_service.metrics.shared_counters import SharedCounters
from tallystick_service.server.application import Application
from tallystick_service.server.file_limit import raise_file_limit
from tallystick_service.server.limits import DEFAULT_LIMITS, ServerLimits
from tallystick_service.server.listen import bind
from tallystick_service.server.logs import configure_logging
from tallystick_service.server.options import ServeOptions
from tallystick_service.server.run import run
from tallystick_service.server.supervisor import supervise
from tallystick_service.server.worker import Run, Worker
from tallystick_service.settings.misconfigured import Misconfigured, exit_on_misconfiguration

logger = logging.getLogger(__name__)


def serve(
    factory: Callable[[], ASGIApp],
    *,
    name: str,
    host: str | None,
    port: int,
    limits: ServerLimits = DEFAULT_LIMITS,
) -> int:
    """Serve the application that `factory` returns in this process, without metrics. The rest is as in
    `serve_configured`.
    """
    application = Application(lambda **_: factory())
    return serve_configured(lambda: application, ServeOptions(host, port), name=name, limits=limits)


def serve_configured(
    load: Callable[[], Application], options: ServeOptions, *, name: str, limits: ServerLimits = DEFAULT_LIMITS
) -> int:
    """Serve the application that `load` reads from its configuration until SIGTERM or SIGINT, and return the exit
    status: 0 after every request that had begun was answered.

    `load` and `prepare` are called once in this process. `create` is called in each process that serves, after the
    fork; so the caller must hold no thread or connection. Prints one line that begins with `name` when connections are
    accepted.

    With several workers, SIGHUP calls `load` again and replaces the workers one after the other; the first new one
    calls `prepare`. If one of these fails, the reload ends with one error line, and the old workers stay.

    Raises Misconfigured when a port is taken, and every exception of `load`, `prepare` and `create`.
    """
    application = load()
    application.prepare()
    sockets = _bind(options)
    counters = SharedCounters(options.workers)
    configure_logging()
    raise_file_limit(2 * limits.max_connections + 256)
    host = "localhost" if options.host is None else f"[{options.host}]" if ":" in options.host else options.host
    line = f"{name} listens on http://{host}:{sockets[0].getsockname()[1]}\n"

    def announce() -> None:
        sys.stdout.write(line)
        sys.stdout.flush()

    def create(application: Application) -> ASGIApp:
        return application.create(counters=counters, metrics_port=options.metrics_port)

    def runs(application: Application) -> Run:
        def work(worker: Worker) -> int:
            def on_ready() -> None:
                counters.mark_alive()
                worker.ready()

            counters.attach(worker.number)
            with exit_on_misconfiguration(name):
                if worker.is_first_of_reload:
                    application.prepare()
                return run(create(application), sockets, limits, on_ready=on_ready, worker=worker)

        return work

    def reload() -> Run | None:
        try:
            return runs(load())
        except (Misconfigured, TemporarilyUnavailable) as reason:
            logger.error("the reload is aborted and the old workers stay: %s", reason)
        except Exception:
            logger.exception("the reload is aborted and the old workers stay")
        return None

    if options.workers > 1:
        return supervise(
            runs(application),
            options.workers,
            on_ready=announce,
            on_exit=counters.mark_dead,
            reload=reload,
            limits=limits,
        )
    return run(create(application), sockets, limits, on_ready=announce)


def _bind(options: ServeOptions) -> list[socket]:
    sockets = bind(options.host, options.port)
    if options.metrics_host is not None and options.metrics_port is None:
        raise Misconfigured("--metrics-host needs --metrics-port")
    if options.metrics_port is not None:
        # The application distinguishes the two addresses by the port.
        if options.metrics_port == sockets[0].getsockname()[1]:
            raise Misconfigured(f"--metrics-port {options.metrics_port} is the service's own port")
        sockets += bind(options.metrics_host, options.metrics_port)
    return sockets
