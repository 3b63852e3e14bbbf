"""The worker processes of a server."""

import json
import subprocess
import urllib.request
from typing import Any

import psutil  # type: ignore[import-untyped]

from tests.support.patience import PATIENCE


def ask(port: int, path: str = "/", host: str = "127.0.0.1") -> dict[str, Any]:
    """The response of `tests.support.small_server`."""
    with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=PATIENCE) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def is_alive(pid: int) -> bool:
    """False for a zombie, too."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def workers_of(process: "subprocess.Popen[str]") -> set[int]:
    return {child.pid for child in psutil.Process(process.pid).children() if is_alive(child.pid)}
