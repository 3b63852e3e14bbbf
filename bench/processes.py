"""Server processes on chosen cores, and their CPU time and memory."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[:1]
LOAD_CORE = CORES[-1:]
_TICK = os.sysconf("SC_CLK_TCK")
_START_TIMEOUT = 60.0
"""Seconds."""


@dataclass(frozen=True)
class Process:
    """A running server. `seconds_to_answer`: from the fork to its first response."""

    pid: int
    port: int
    seconds_to_answer: float

    @property
    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    @property
    def resident_mb(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def free_port() -> int:
    with socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(
    *command: str,
    port: int,
    ready: str,
    log: Path,
    cores: list[int] = SERVER_CORE,
    env: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """Run `command` on `cores` during the block, which begins when GET `ready` is answered with a status below 500."""
    begin = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(pinned(command, cores), stdout=output, stderr=output, env=os.environ | (env or {}))
    try:
        while not _answers(port, ready):
            if process.poll() is not None or time.perf_counter() > begin + _START_TIMEOUT:
                sys.exit(f"{command[0]} did not start; see {log}")
            time.sleep(0.01)
        yield Process(process.pid, port, time.perf_counter() - begin)
    finally:
        process.terminate()
        process.wait()


def pinned(command: tuple[str, ...], cores: list[int]) -> list[str]:
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()
