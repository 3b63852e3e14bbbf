"""wrk, the load generator: one thread on its own core, with connections that are never idle."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.figures import Sample
from bench.processes import LOAD_CORE, Process, pinned

CONNECTIONS = 16


def load(
    server: Process,
    path: str,
    *,
    seconds: int,
    form: str | None = None,
    headers: Mapping[str, str] | None = None,
    connections: int = CONNECTIONS,
    cores: list[int] = LOAD_CORE,
) -> Sample:
    """GET `path`, or POST `form` to it, as fast as the server responds. Exits after a 4xx or 5xx response."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", str(seconds)]
    for name, value in (headers or {}).items():
        command += ["--header", f"{name}: {value}"]
    if form is not None:
        command += ["--script", str(Path(__file__).with_name("post.lua"))]
    command += [f"http://127.0.0.1:{server.port}{path}"]
    if form is not None:
        command += ["--", form]
    cpu = server.cpu_seconds
    output = subprocess.run(pinned(tuple(command), cores), capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        sys.exit(f"{path} was refused:\n{output}")
    counted = re.search(r"(\d+) requests in ([\d.]+)(ms|s)", output)
    if counted is None:
        sys.exit(f"unknown output of wrk:\n{output}")
    elapsed = float(counted[2]) * (0.001 if counted[3] == "ms" else 1)
    return Sample(int(counted[1]), elapsed, server.cpu_seconds - cpu)
