"""The command `serve`, in processes of its own."""

import json
import signal
import time
import urllib.request

from tests.support.command_line import CommandLine, command_line, on_sqlite, serving
from tests.support.patience import PATIENCE

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
