"""The three servers of a TLS front, and how each is started."""

import os
import shutil
import sys
from pathlib import Path

from deploy.demo.supervisor import DemoFailed, Server
from deploy.tls.place import Place


def servers_of(place: Place) -> list[Server]:
    """Raises DemoFailed when there is no nginx."""
    return [
        _service("auth service", "auth_service", place.auth_toml, place.auth),
        _service("notes API", "resource_service", place.resource_toml, place.notes, SSL_CERT_FILE=str(place.ca)),
        _front(place),
    ]


def _service(name: str, package: str, config: Path, port: int, **environment: str) -> Server:
    command = [sys.executable, "-m", package, "serve", "--config", str(config), "--port", str(port)]
    # It finds its keys through the front, so it is alive before it is ready.
    return Server(name, command, port, f"http://127.0.0.1:{port}/readyz", environment)


def nginx() -> str:
    """Where it is. Raises DemoFailed when it is nowhere."""
    # Debian keeps it where only root's PATH leads.
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        raise DemoFailed("there is no nginx; `make foreign` installs it")
    return found


def _front(place: Place) -> Server:
    command = [nginx(), "-e", "stderr", "-p", str(place.nginx_folder), "-c", str(place.nginx_conf.resolve())]
    # Plain HTTP gets a 400 from a port for TLS: enough to know that somebody is there.
    return Server("front", [*command, "-g", "daemon off;"], place.front, f"http://127.0.0.1:{place.front}/")
