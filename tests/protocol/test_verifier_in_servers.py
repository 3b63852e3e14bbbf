"""A revoked token and a withdrawn key are refused by every worker of every kind of server. uwsgi has no wheel.

One auth service, on SQLite. The verifier has verified a token in the parent of the forked workers.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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

    def withdraw_key(self) -> None:
        (kid,) = {key["kid"] for key in self.http.get("/jwks").json()["keys"] if key["alg"] == "ES256"}
        arguments = ["auth_service", "keys", "withdraw", kid, "--config", str(self.config)]
        with ForkedProcess(arguments, cwd=ROOT, stdout=subprocess.DEVNULL) as command:
            assert command.wait(PATIENCE) == 0

    @property
    def _auth(self) -> tuple[str, str]:
        return "bot", secret_of("bot").replace(" ", "+").replace(",", "%2C")


@dataclass
class Server:
    http: httpx.Client

    def answers(self, token: str, count: int = 12) -> set[tuple[int, str]]:
        """Status and process id of `count` requests, each on its own connection."""
        headers = {"Authorization": f"Bearer {token}"}
        responses = [self.http.get("/", headers=headers) for _ in range(count)]
        return {(response.status_code, response.text) for response in responses}

    def is_listening(self) -> bool:
        try:
            self.http.get("/", headers={"Authorization": "Bearer x"})
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
            http = httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Connection": "close"},  # a new connection for each request, so that each worker gets some
                timeout=PATIENCE,
                verify=False,
                trust_env=False,
            )
            found[name] = Server(stack.enter_context(http))
        for server in found.values():
            wait_until(server.is_listening)
        yield found


@pytest.mark.parametrize("name", SERVERS)
def test_revoked_token_is_refused_by_every_worker(issuer: Issuer, servers: dict[str, Server], name: str) -> None:
    token = issuer.token()
    servers[name].wait_until_all_workers(200, token)
    issuer.revoke(token)
    servers[name].wait_until_all_workers(401, token)


def test_tokens_of_a_withdrawn_key_are_refused_by_every_worker(issuer: Issuer, servers: dict[str, Server]) -> None:
    token = issuer.token()
    for server in servers.values():
        server.wait_until_all_workers(200, token)
    issuer.withdraw_key()
    for server in servers.values():
        server.wait_until_all_workers(401, token)
    for server in servers.values():
        server.wait_until_all_workers(200, issuer.token())


class Script:
    """The program, with one event loop for each token."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def verdict(self, token: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{token}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def running_script(environment: dict[str, str]) -> Iterator[Script]:
    with ForkedProcess(
        ["tests.support.verifying_app"],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Script(process)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(PATIENCE) == 0  # the thread does not delay the exit
        finally:
            process.kill()


def test_script_with_an_event_loop_per_token_refuses_a_revoked_one(issuer: Issuer, environment: dict[str, str]) -> None:
    token = issuer.token()
    with running_script(environment) as script:
        wait_until(lambda: script.verdict(token) == "200")
        issuer.revoke(token)
        wait_until(lambda: script.verdict(token) == "401")


def test_stopped_process_refuses_in_its_first_answer(issuer: Issuer, environment: dict[str, str]) -> None:
    token = issuer.token()
    with running_script(environment) as script:
        wait_until(lambda: script.verdict(token) == "200")
        script.process.send_signal(signal.SIGSTOP)
        issuer.revoke(token)
        time.sleep(6)  # longer than a document is trusted, and until the revocation is in the list
        script.process.send_signal(signal.SIGCONT)
        assert script.verdict(token) == "401"
