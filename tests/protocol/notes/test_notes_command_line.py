"""`python -m resource_service serve`: start, stop, and configuration errors."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.forked import ForkedProcess
from tests.support.notes_process import notes_process
from tests.support.patience import PATIENCE


@pytest.mark.parametrize("workers", [1, 2])
def test_serves_from_its_log_line_until_sigterm(tmp_path: Path, workers: int) -> None:
    with notes_process(tmp_path, "--workers", str(workers)) as notes:
        headers = {"Authorization": f"Bearer {notes.access_token()}"}
        with httpx.Client(base_url=notes.url, headers=headers) as client:
            assert client.get("/readyz").status_code == 200
            created = client.post("/notes", json={"title": "Kept"})
            assert created.status_code == 201
        notes.process.send_signal(signal.SIGTERM)
        assert notes.process.wait(30) == 0
    with notes_process(tmp_path) as notes:
        headers = {"Authorization": f"Bearer {notes.access_token()}"}
        assert httpx.get(f"{notes.url}/notes", headers=headers).json()["notes"] == [created.json()]


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("", "audience"),
        ('audience = "http://localhost:1"\nissuer = "http://localhost:1"\nextra = 1', "extra"),
        ('audience = "http://localhost:1"\nissuer = "http://id.example.com"', "https"),
        ('audience = "http://localhost:1"\nissuer = "http://localhost:1?a"', "query"),
        ('audience = "http://localhost:1?a"\nissuer = "http://localhost:1"', "query"),
        ('audience = "http://localhost:1"\nissuer = "http://localhost:1"\ndatabase_url = "mysql://x"', "database_url"),
        ('audience = "http://localhost:1"\nissuer = "http://localhost:1"\nallowed_origins = ["*"]', "allowed_origins"),
        (
            'audience = "http://localhost:1"\nissuer = "http://localhost:1"\ndatabase_url = "sqlite:////proc/x"',
            "/proc/x",
        ),
        ("audience = ", "TOML"),
    ],
)
def test_wrong_configuration_prints_one_line_and_exits_with_2(tmp_path: Path, toml: str, reason: str) -> None:
    config = tmp_path / "resource.toml"
    config.write_text(toml)
    ended = serve(config)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("notes API: ")
    assert reason in ended.stderr


def test_missing_configuration_prints_one_line_and_exits_with_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "resource_service", "serve", "--config", str(tmp_path / "none.toml")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    config = tmp_path / "resource.toml"
    config.write_text('audience = "http://localhost:1"\nissuer = "http://localhost:1"\n')
    ended = serve(config, RESOURCE_ISSUER="http://id.example.com")
    assert ended.returncode == 2
    assert "RESOURCE_ISSUER" in ended.stderr


def serve(config: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments = ["resource_service", "serve", "--config", str(config), "--port", "0"]
    with ForkedProcess(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment}
    ) as process:
        output, errors = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)
