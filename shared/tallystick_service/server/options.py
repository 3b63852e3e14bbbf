"""Where and with how many processes a service listens: the options of the commands that serve."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServeOptions:
    """`host` None means the loopback addresses; `port` 0 a free port.

    With more than one of `workers`, the command's own process only supervises them. `metrics_host` and `metrics_port`
    are another address to listen on. The server treats it like the first; the application can tell them apart.
    """

    host: str | None = None
    port: int = 0
    workers: int = 1
    metrics_host: str | None = None
    metrics_port: int | None = None
