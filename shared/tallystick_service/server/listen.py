"""The sockets that a server listens on."""

import errno
import socket

from tallystick_service.settings.misconfigured import Misconfigured

BACKLOG = 2048
LOOPBACK = ("127.0.0.1", "::1")


def bind(host: str | None, port: int) -> list[socket.socket]:
    """Listen on `host`, or on both loopback addresses for None. Port 0 picks a free port. Raises Misconfigured."""
    if host is not None:
        return [_bound(host, port)]
    first = _bound(LOOPBACK[0], port)
    try:
        return [first, _bound(LOOPBACK[1], first.getsockname()[1])]
    except _AddressUnavailable:
        return [first]
    except Misconfigured:
        first.close()
        raise


class _AddressUnavailable(Misconfigured):
    """This machine does not have the address, for example because it has no IPv6."""


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise Misconfigured(f"there is no host {host}") from error
    try:
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _AddressUnavailable(f"{host} cannot be listened on: {error.strerror}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise Misconfigured(f"port {port} on {host} is in use by another program") from error
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise _AddressUnavailable(f"this machine has no address {host}") from error
        raise Misconfigured(f"port {port} on {host} cannot be listened on: {error.strerror}") from error
    return sock
