"""A revoked token is refused by every worker of every kind of server. uwsgi has no wheel.

One auth service, on SQLite. The verifier has verified a token in the parent of the forked workers.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.auth_process import auth_process
from tests.support.declared import NOTES, declared_toml, secret_of
from tests.support.forked import ForkedProcess
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

ISSUER = "http://localhost:8000"
"""Only a name. The verifiers reach the auth service under its internal URL."""

GUNICORN = ["gunicorn", "--workers", "2", "--preload", "--chdir", str(ROOT), "tests.support.verifying_app:application"]
SERVERS = {
    "gunicorn sync": [*GUNICORN, "--worker-class", "sync"],
    "gunicorn gthread": [*GUNICORN, "--worker-class", "gthread", "--threads", "4"],
    "uvicorn": ["uvicorn", "--workers", "2", "--lifespan", "off", "tests.support.verifying_app:app"],
}


@dataclass
class Issuer:
    config: Path
    http: httpx.Client

    def token(self) -> str:
        response = self.http.post("/token", auth=self._auth, data={"grant_type": "client_credentials"})
        token: str = response.raise_for_status().json()["access_token"]
        return token

    def revoke(self, token: str) -> None:
        self.http.post("/revoke", auth=self._auth, data={"token": token}).raise_for_status()

    @property
    def _auth(self) -> tuple[str, str]:
        return "bot", secret_of("bot").replace(" ", "+").replace(",", "%2C")


@dataclass
class Server:
    port: int

    def answers(self, token: str, count: int = 12) -> set[tuple[int, str]]:
        """Status and process id of `count` requests, each on its own connection."""
        headers = {"Authorization": f"Bearer {token}"}
        responses = [
            httpx.get(f"http://127.0.0.1:{self.port}/", headers=headers, timeout=PATIENCE) for _ in range(count)
        ]
        return {(response.status_code, response.text) for response in responses}

    def is_listening(self) -> bool:
        try:
            httpx.get(f"http://127.0.0.1:{self.port}/", headers={"Authorization": "Bearer x"}, timeout=PATIENCE)
        except httpx.TransportError:
            return False
        return True

    def wait_until_all_workers(self, status: int, token: str) -> None:
        """Wait until both workers have answered, and every answer had this status."""
        seen: set[str] = set()

        def agree() -> bool:
            answers = self.answers(token)
            if {found for found, _ in answers} != {status}:
                seen.clear()
                return False
            seen.update(pid for _, pid in answers)
            return len(seen) == 2

        wait_until(agree)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    folder = tmp_path_factory.mktemp("issuer")
    config = folder / "tallystick.toml"
    config.write_text(declared_toml(f"sqlite:///{folder}/auth.db", issuer=ISSUER))
    with (
        auth_process(config) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False) as http,
    ):
        yield Issuer(config, http)


@pytest.fixture(scope="module")
def environment(issuer: Issuer) -> dict[str, str]:
    internal_url = str(issuer.http.base_url).rstrip("/")
    return {"ISSUER": ISSUER, "AUDIENCE": NOTES, "INTERNAL_URL": internal_url, "FIRST_TOKEN": issuer.token()}


@pytest.fixture(scope="module")
def servers(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """All servers, started at the same time."""
    with ExitStack() as stack:
        log = stack.enter_context((tmp_path_factory.mktemp("servers") / "log").open("w"))
        found = {}
        for (name, command), port in zip(SERVERS.items(), free_ports(len(SERVERS)), strict=True):
            where = ["--bind", f"127.0.0.1:{port}"] if command[0] == "gunicorn" else ["--port", str(port)]
            arguments = [command[0], *where, *command[1:]]
            options: dict[str, Any] = {"cwd": ROOT, "env": os.environ | environment, "stdout": log, "stderr": log}
            if command[0] == "gunicorn":
                process: subprocess.Popen[str] = ForkedProcess(arguments, **options)
            else:  # it starts its workers with the interpreter's own arguments
                process = subprocess.Popen([sys.executable, "-m", *arguments], text=True, **options)
            stack.enter_context(process)
            stack.callback(process.terminate)
            found[name] = Server(port)
        for server in found.values():
            wait_until(server.is_listening)
        yield found


@pytest.mark.parametrize("name", SERVERS)
def test_revoked_token_is_refused_by_every_worker(issuer: Issuer, servers: dict[str, Server], name: str) -> None:
    token = issuer.token()
    servers[name].wait_until_all_workers(200, token)
    issuer.revoke(token)
    servers[name].wait_until_all_workers(401, token)
