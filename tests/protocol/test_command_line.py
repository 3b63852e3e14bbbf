"""Rules for all commands: one line for an error, no missing database created, and escaped output."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tallystick_service.store import sqlite
from tests.support.command_line import CommandLine, on_sqlite
from tests.support.patience import PATIENCE

__all__ = ["on_sqlite"]


@pytest.mark.parametrize(
    "arguments", [("client", "disable"), ("user", "disable"), ("user", "add"), ("keys", "withdraw")]
)
def test_control_characters_in_an_argument_are_escaped(on_sqlite: CommandLine, arguments: tuple[str, str]) -> None:
    on_sqlite.run("apply")
    assert r"\x9b2J\u202e" in on_sqlite.run(*arguments, "\x9b2J\u202e").refused(1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "disable", "unknown@example.com"),
        ("user", "enable", "unknown@example.com"),
        ("user", "sign-out", "unknown@example.com"),
        ("user", "set-password", "unknown@example.com", "--password-stdin"),
        ("client", "disable", "unknown"),
        ("client", "enable", "unknown"),
        ("consent", "withdraw", "unknown@example.com", "app"),
        ("consent", "withdraw", "ada@example.com", "unknown"),
    ],
)
def test_an_unknown_name_is_refused_in_one_line(on_sqlite: CommandLine, arguments: tuple[str, ...]) -> None:
    on_sqlite.run("apply")
    assert "there is no" in on_sqlite.run(*arguments, typed="x").refused(1)


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"AUTH_ISSUER": "http://id.example.com"}, "plain http"),
        ({"AUTH_LIFETIMES__CODE": "0"}, "AUTH_LIFETIMES__CODE"),
        ({"AUTH_DATABASE_URL": "mysql://host/db"}, "AUTH_DATABASE_URL"),
        ({"AUTH_DATABASE_URL": "postgresql://user@127.0.0.1:1/db"}, "the database cannot be opened"),
        ({"AUTH_MASTER_KEY": "env:NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE"),
        ({"AUTH_MASTER_KEY": "weak"}, "32 bytes"),
        ({"APP_SECRET": "weak"}, "at least 32"),
    ],
)
def test_misconfiguration_is_refused_in_one_line(
    on_sqlite: CommandLine, environment: dict[str, str], reason: str
) -> None:
    assert on_sqlite.run("apply").status == 0
    command = ["keys", "rotate"] if "AUTH_MASTER_KEY" in environment else ["apply"]
    assert reason in on_sqlite.run(*command, **environment).refused(2)


def test_a_missing_configuration_file_is_refused_in_one_line(on_sqlite: CommandLine) -> None:
    on_sqlite.config.unlink()
    for command in (["plan"], ["keys", "list"], ["user", "enable", "ada@example.com"]):
        assert str(on_sqlite.config) in on_sqlite.run(*command).refused(2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit",),
        ("keys", "list"),
        ("keys", "withdraw", "kid"),
        ("keys", "re-encrypt"),
        ("user", "sign-out", "ada@example.com"),
        ("client", "list"),
        ("consent", "withdraw", "ada@example.com", "app"),
    ],
)
def test_a_missing_database_is_not_created(on_sqlite: CommandLine, arguments: tuple[str, ...]) -> None:
    assert "there is no such database yet" in on_sqlite.run(*arguments).refused(2)
    assert list(on_sqlite.folder.iterdir()) == [on_sqlite.config]


@pytest.mark.parametrize("arguments", [("keys", "rotate"), ("apply",), ("user", "add", "--password-stdin", "b@x.org")])
def test_a_created_database_is_noted(on_sqlite: CommandLine, arguments: tuple[str, ...]) -> None:
    made = f"auth service: created the database {on_sqlite.database_url}\n"
    assert on_sqlite.run(*arguments, typed="battery staple\n").errors == made
    assert on_sqlite.run("keys", "rotate").errors == ""


def test_a_created_database_is_noted_also_when_the_command_is_refused(on_sqlite: CommandLine) -> None:
    refused = on_sqlite.run("user", "add", "--password-stdin", "b@x.org", typed="short\n")
    made, reason = refused.errors.splitlines()
    assert made == f"auth service: created the database {on_sqlite.database_url}"
    assert "at least 8 characters" in reason


@pytest.mark.parametrize("arguments", [("audit",), ("keys", "list"), ("client", "list"), ("plan",)])
def test_a_command_that_only_reads_does_not_wait_for_a_writer(
    on_sqlite: CommandLine, arguments: tuple[str, ...]
) -> None:
    assert on_sqlite.run("apply").status == 0
    assert on_sqlite.run("keys", "rotate").status == 0
    with closing(sqlite3.connect(on_sqlite.folder / "auth.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")  # until the writer is closed, so one that waits is refused in the end
        shown = on_sqlite.run(*arguments)
    assert (shown.status, shown.errors) == (0, "")
    assert shown.output


def test_a_command_that_writes_is_refused_in_one_line_while_the_database_is_locked(
    on_sqlite: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.1)
    assert on_sqlite.run("apply").status == 0
    with closing(sqlite3.connect(on_sqlite.folder / "auth.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        locked = on_sqlite.run("user", "disable", "ada@example.com").refused(2)
    assert "database is locked" in locked


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
@pytest.mark.parametrize("arguments", [("audit",), ("plan",), ("keys", "rotate")])
def test_output_to_a_full_disk_is_refused_in_one_line(on_sqlite: CommandLine, arguments: tuple[str, ...]) -> None:
    assert on_sqlite.run("apply").status == 0
    with Path("/dev/full").open("w") as full:
        process = on_sqlite.execute(*arguments, stdout=full)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (1, "auth service: the command ran, but no space is left for its output\n")
