"""The three servers of a TLS front and their command lines."""

import os
import shutil

from deploy.local.supervisor import Server, SupervisorError, service
from deploy.tls.front_files import FrontFiles


def front_servers(files: FrontFiles) -> list[Server]:
    """Raises SupervisorError when nginx is not installed."""
    return [
        service("auth service", "auth_service", files.auth_toml, files.auth),
        # It fetches the issuer's keys through the front, so it is not ready before the front is.
        service("notes API", "resource_service", files.resource_toml, files.notes, SSL_CERT_FILE=str(files.ca)),
        _nginx_server(files),
    ]


def find_nginx() -> str:
    """Return the path of the program. Raises SupervisorError when it is not installed."""
    # Debian installs it into /usr/sbin, which is only in root's PATH.
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        raise SupervisorError("there is no nginx; `make foreign` installs it")
    return found


def _nginx_server(files: FrontFiles) -> Server:
    command = [find_nginx(), "-e", "stderr", "-p", str(files.nginx_folder), "-c", str(files.nginx_conf.resolve())]
    # A plain HTTP request to a TLS port is answered with 400, which shows that nginx listens.
    return Server("front", [*command, "-g", "daemon off;"], files.front, f"http://127.0.0.1:{files.front}/")
