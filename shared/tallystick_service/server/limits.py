"""Bounds of a server process and of its supervision, in seconds, bytes and connections."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerLimits:
    max_connections: int = 4096
    """Open ones. Fewer where the operating system allows fewer open files."""
    max_held_bytes: int = 64 * 1024 * 1024
    """Over all connections: bytes written that peers have not read, and bytes received of unprocessed requests."""
    request_timeout: float = 10.0
    """From a connection's or request's first byte to the end of its headers; as long again for its body."""
    keep_alive_timeout: float = 75.0
    """Longer than the minute after which proxies close idle connections, so that a proxy does not send a request on a
    connection that the server has just closed."""
    stall_timeout: float = 20.0
    """See `WriteStallDetector`."""
    stall_check_interval: float = 2.0
    """Between two searches for connections whose peer has stopped reading."""
    shutdown_timeout: int = 20
    """For the requests that are being processed when the server is asked to stop."""
    start_timeout: float = 90.0
    """For a worker that replaces another one, until it accepts connections. Then it is killed."""
    hang_timeout: float = 30.0
    """A worker whose event loop has not run for so long is killed and replaced. See `HangDetector`."""


DEFAULT_LIMITS = ServerLimits()
