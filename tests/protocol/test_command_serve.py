"""The command `serve`, in processes of its own."""

import http.client
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from tests.support.command_line import ENVIRONMENT, CommandLine, command_line, on_sqlite, serving
from tests.support.forked import ForkedProcess
from tests.support.patience import PATIENCE
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

__all__ = ["command_line", "on_sqlite"]


def published_kids(url: str) -> set[str]:
    with urllib.request.urlopen(f"{url}/jwks", timeout=PATIENCE) as response:
        return {key["kid"] for key in json.load(response)["keys"]}


def test_serve_migrates_applies_and_publishes_a_rotation(command_line: CommandLine) -> None:
    with serving(command_line, "--workers", "2") as url:
        first = published_kids(url)
        assert command_line.run("plan").output == "nothing to change\n"
        rotated = command_line.spawn("keys", "rotate")
        assert (rotated.status, rotated.errors) == (0, "")
        end = time.monotonic() + PATIENCE
        while len(kids := published_kids(url)) < 4 and time.monotonic() < end:
            time.sleep(0.1)
        assert {line.split()[1] for line in rotated.output.splitlines()} == kids - first


def is_counted(log: Path, text: str, times: int) -> bool:
    return log.read_text().count(text) == times


def access_token_lifetime(url: str, client_id: str) -> int | None:
    """The `expires_in` of a new access token, or None when the client is refused."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": ENVIRONMENT["APP_SECRET"]}
    try:
        with urllib.request.urlopen(f"{url}/token", urlencode(form).encode(), timeout=PATIENCE) as response:
            lifetime: int = json.load(response)["expires_in"]
            return lifetime
    except (urllib.error.HTTPError, ConnectionError, http.client.RemoteDisconnected):
        return None  # a worker that stops closes its connections


def test_sighup_applies_the_changed_configuration_or_refuses_it(on_sqlite: CommandLine) -> None:
    log = on_sqlite.folder / "log"
    arguments = ["auth_service", "serve", "--config", str(on_sqlite.config), "--port", "0", "--workers", "2"]
    good = on_sqlite.config.read_text()
    with (
        log.open("w") as errors,
        ForkedProcess(
            arguments, cwd=ROOT, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        for refused, wrong in enumerate((f"unknown = 5\n{good}", good.replace("APP_SECRET", "NO_SECRET"))):
            on_sqlite.config.write_text(wrong)
            process.send_signal(signal.SIGHUP)
            wait_until(partial(is_counted, log, "the reload is aborted and the old workers stay", refused + 1))
        said = log.read_text()
        assert "unknown" in said  # the parent reads the file
        assert "auth service: the client_secret of app: the environment variable NO_SECRET is missing" in said
        assert access_token_lifetime(url, "bot") is None
        on_sqlite.config.write_text(
            good.replace("[[api]]", "[lifetimes]\naccess_token = 120\n[[api]]")
            + '[[client]]\nclient_id = "bot"\nclient_name = "Bot"\nclient_secret = "env:APP_SECRET"\n'
            'grant_types = ["client_credentials"]\ntoken_endpoint_auth_method = "client_secret_post"\n'
            'scope = "notes:read"\n'
        )
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: '"reloaded"' in log.read_text())
        wait_until(lambda: {access_token_lifetime(url, "bot") for _ in range(20)} == {120})
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_serve_logs_the_database_and_the_master_key_that_it_creates(on_sqlite: CommandLine) -> None:
    for is_new in (True, False):
        process = on_sqlite.start("serve", "--port", "0")
        assert process.stdout is not None
        assert "listens on" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE)
        made = (f"created the database {on_sqlite.database_url}", f"made a master key at {on_sqlite.folder}/master.key")
        assert [line in log for line in made] == [is_new] * 2


def test_serve_refuses_to_start_with_a_weak_secret(on_sqlite: CommandLine) -> None:
    assert on_sqlite.run("keys", "rotate").status == 0
    assert "32 bytes" in on_sqlite.spawn("serve", "--port", "0", AUTH_MASTER_KEY="weak").refused(2)
    assert "at least 32" in on_sqlite.spawn("serve", "--port", "0", APP_SECRET="weak").refused(2)
    for command in (["serve", "--port", "0"], ["plan"]):
        weak = on_sqlite.spawn(*command, AUTH_REGISTRATION__INITIAL_ACCESS_TOKEN="weak").refused(2)
        assert "initial_access_token needs at least 32" in weak


def test_a_metrics_host_without_a_metrics_port_is_refused(on_sqlite: CommandLine) -> None:
    ended = on_sqlite.spawn("serve", "--port", "0", "--metrics-host", "127.0.0.1")
    assert (ended.status, ended.output) == (2, "")
    assert "--metrics-host needs --metrics-port" in ended.errors
