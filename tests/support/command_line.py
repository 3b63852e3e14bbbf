"""Run commands of the auth service, in this process or in a process of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest
from typer.testing import CliRunner

from auth_service.__main__ import app
from tallystick_service.store import Store
from tests.support.forked import ForkedProcess
from tests.support.patience import PATIENCE, patient_store

ENVIRONMENT = {"APP_SECRET": "a secret of at least thirty-two characters"}

CONFIG = """
issuer = "http://localhost:8000"
database_url = "{database_url}"
master_key = "file:{folder}/master.key"

[[api]]
audience = "https://api.example.com"
name = "Notes"
scopes = {{ "notes:read" = "Read your notes" }}

[[client]]
client_id = "app"
client_name = "The App"
client_secret = "env:APP_SECRET"
redirect_uris = ["https://app.example.com/callback"]
scope = "openid notes:read"

[[user]]
email = "ada@example.com"
password = "correct horse battery staple"
"""


@dataclass
class Ended:
    status: int
    output: str
    errors: str

    def refused(self, status: int) -> str:
        """Assert a refusal with `status`, and return its one line on stderr."""
        assert (self.status, self.output) == (status, ""), self
        (line,) = self.errors.splitlines()
        return line


@dataclass
class CommandLine:
    database_url: str
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "tallystick.toml"

    def start(
        self, *arguments: str, stdout: int | TextIO = subprocess.PIPE, **environment: str
    ) -> "subprocess.Popen[str]":
        """Start a process."""
        return ForkedProcess(
            ["auth_service", *arguments, "--config", str(self.config)],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=os.environ | ENVIRONMENT | environment,
        )

    def execute(self, *arguments: str, stdout: TextIO) -> "subprocess.Popen[str]":
        """Start a process with a new interpreter, for tests that depend on how an interpreter ends."""
        return subprocess.Popen(
            [sys.executable, "-m", "auth_service", *arguments, "--config", str(self.config)],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | ENVIRONMENT,
        )

    def spawn(self, *arguments: str, **environment: str) -> Ended:
        """Run a process until it ends."""
        process = self.start(*arguments, stdout=subprocess.PIPE, **environment)
        output, errors = process.communicate(timeout=PATIENCE)
        return Ended(process.returncode, output, errors)

    def run(self, *arguments: str, typed: str = "", **environment: str) -> Ended:
        """Run the command within this process, which is much faster."""
        given = [*arguments, "--config", str(self.config)]
        result = CliRunner().invoke(app, given, input=typed, env=ENVIRONMENT | environment, catch_exceptions=False)
        return Ended(result.exit_code, result.stdout, result.stderr)

    def store(self) -> Store:
        return patient_store(self.database_url)


def configured(database_url: str, folder: Path) -> CommandLine:
    command_line = CommandLine(database_url, folder)
    command_line.config.write_text(CONFIG.format(database_url=database_url, folder=folder))
    return command_line


@pytest.fixture
def command_line(database_url: str, tmp_path: Path) -> CommandLine:
    """A service without a store yet, on SQLite and on PostgreSQL."""
    return configured(database_url, tmp_path)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> CommandLine:
    """The same on SQLite only, for rules that do not depend on the database."""
    return configured(f"sqlite:///{tmp_path}/auth.db", tmp_path)


@contextmanager
def serving(command_line: CommandLine, *options: str) -> Iterator[str]:
    """The URL of a running service. Asserts that SIGTERM ends it with status 0."""
    process = command_line.start("serve", "--port", "0", *options)
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        assert line.startswith("auth service listens on http://"), line + process.communicate()[1]
        yield line.split()[-1]
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, output) == (0, ""), errors
    finally:
        process.kill()
        process.communicate()
