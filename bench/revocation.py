"""Time from the answer of POST /revoke to the first 401: `python -m bench.revocation [COUNT] ADAPTER …`.

The clients poll each five milliseconds. An adapter is one entry of ADAPTERS: the command of an API with the endpoint
/verified, which needs the scope notes:read.
"""

import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import httpx

from bench.figures import show
from bench.processes import free_port, running
from bench.services import BOT, SECRET, Services

COUNT = 30
POLL_SECONDS = 0.005
FOLDER = Path("var/bench-revocation")


@dataclass(frozen=True)
class Adapter:
    """{port} and {issuer} in `arguments` and `environment` are replaced."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


ADAPTERS = {
    "fastapi": Adapter(("bench.servers.guarded", "{port}", "{issuer}")),
    "drf": Adapter(
        ("gunicorn", "bench.servers.guarded_drf", "--bind", "127.0.0.1:{port}", "--threads", "4"),
        {"ISSUER": "{issuer}"},
    ),
}


def measure(services: Services, adapter: Adapter, count: int) -> list[float]:
    """Seconds, one for each revoked token. The auth service is running."""
    port = free_port()
    values = {"port": str(port), "issuer": services.issuer}
    command = [sys.executable, "-m", *(argument.format(**values) for argument in adapter.arguments)]
    environment = {name: value.format(**values) for name, value in adapter.environment.items()}
    log = services.folder / "revocation.log"
    with running(*command, port=port, ready="/verified", log=log, env=environment), httpx.Client() as http:
        return [_revoke_once(http, services, f"http://127.0.0.1:{port}/verified") for _ in range(count)]


def _revoke_once(http: httpx.Client, services: Services, url: str) -> float:
    token = services.access_token()
    headers = {"Authorization": f"Bearer {token}"}
    http.get(url, headers=headers).raise_for_status()
    http.post(f"{services.issuer}/revoke", data={"token": token}, auth=(BOT, SECRET)).raise_for_status()
    begin = time.perf_counter()
    while http.get(url, headers=headers).status_code == 200:
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - begin


def main(arguments: list[str]) -> None:
    count = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else COUNT
    unknown = [name for name in arguments if name not in ADAPTERS]
    if unknown:
        sys.exit(f"there is no adapter {unknown[0]}; there are {', '.join(ADAPTERS)}")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    services = Services.prepare(FOLDER.absolute())
    rows = [f"{'':12}{'p50':>8}{'p99':>8}{'longest':>9}"]
    with services.auth_service():
        for name in arguments or ADAPTERS:
            seconds = measure(services, ADAPTERS[name], count)
            percentiles = quantiles(seconds, n=100, method="inclusive")
            rows.append(f"{name:12}{percentiles[49]:>6.2f} s{percentiles[98]:>6.2f} s{max(seconds):>7.2f} s")
    show(f"From /revoke to 401, {count} tokens", rows)


if __name__ == "__main__":
    main(sys.argv[1:])
