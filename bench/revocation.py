"""Time from the answer of POST /revoke to the first 401: `python -m bench.revocation [COUNT] ADAPTER …`.

The client polls every five milliseconds. An adapter is one entry of ADAPTERS: the command of an API with an endpoint
that needs the scope notes:read.
"""

import random
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx

from bench.figures import show
from bench.processes import free_port, running
from bench.services import BOT, SECRET, Services
from tallystick.remote.issuer import FOLLOW_INTERVAL

COUNT = 30
POLL_SECONDS = 0.005
FOLDER = Path("var/bench-revocation")


@dataclass(frozen=True)
class Adapter:
    """{port} and {issuer} in `arguments` and `environment` are replaced. `request`: how the endpoint is called."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    path: str = "/verified"
    request: Mapping[str, Any] = field(default_factory=lambda: {"method": "GET"})


def _wsgi(module: str) -> Adapter:
    return Adapter(("gunicorn", module, "--bind", "127.0.0.1:{port}", "--threads", "4"), {"ISSUER": "{issuer}"})


_TOOL_CALL = {
    "method": "POST",
    "headers": {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"},
    "json": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}},
}

ADAPTERS = {
    "fastapi": Adapter(("bench.servers.guarded", "{port}", "{issuer}")),
    "starlette": Adapter(("bench.servers.guarded_starlette", "{port}", "{issuer}")),
    "flask": _wsgi("bench.servers.guarded_flask"),
    "django": _wsgi("bench.servers.guarded_django"),
    "drf": _wsgi("bench.servers.guarded_drf"),
    "mcp": Adapter(("bench.servers.guarded_mcp", "{port}", "{issuer}"), path="/", request=_TOOL_CALL),
}


def measure(services: Services, adapter: Adapter, count: int) -> list[float]:
    """Seconds, one for each revoked token. The auth service is running."""
    port = free_port()
    values = {"port": str(port), "issuer": services.issuer}
    command = [sys.executable, "-m", *(argument.format(**values) for argument in adapter.arguments)]
    environment = {name: value.format(**values) for name, value in adapter.environment.items()}
    log = services.folder / "revocation.log"
    with running(*command, port=port, ready=adapter.path, log=log, env=environment), httpx.Client() as http:
        request = http.build_request(**adapter.request, url=f"http://127.0.0.1:{port}{adapter.path}")
        return [_revoke_once(http, services, request) for _ in range(count)]


def _revoke_once(http: httpx.Client, services: Services, request: httpx.Request) -> float:
    token = services.access_token()
    request.headers["Authorization"] = f"Bearer {token}"
    http.send(request).raise_for_status()
    time.sleep(random.uniform(0, FOLLOW_INTERVAL))  # else each revocation would follow a fetch of the API
    http.post(f"{services.issuer}/revoke", data={"token": token}, auth=(BOT, SECRET)).raise_for_status()
    begin = time.perf_counter()
    while (status := http.send(request).status_code) == 200:
        time.sleep(POLL_SECONDS)
    if status != 401:
        sys.exit(f"the revoked token was answered with {status}")
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
