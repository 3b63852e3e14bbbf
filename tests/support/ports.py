"""Free TCP ports, for servers that cannot choose one themselves."""

import random
import socket


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> tuple[int, ...]:
    """Return free ports below the range of outgoing connections, which could take one meanwhile."""
    found: set[int] = set()
    while len(found) < count:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.add(port)
    return tuple(found)
