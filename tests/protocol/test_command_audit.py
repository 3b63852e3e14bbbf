"""The command `audit`."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from auth_service.commands import audit as command
from auth_service.store.audit import audit_trail
from auth_service.store.audit.audit_trail import EVENTS
from auth_service.store.clients import clients
from auth_service.store.schema.tables import audit as audit_table
from auth_service.store.users import users
from tallystick.clock import system_clock
from tallystick_service.store.migrations import migrate
from tests.support.command_line import CommandLine, command_line, on_sqlite, serving

__all__ = ["command_line", "on_sqlite"]

HOUR = 3600


def write(command_line: CommandLine, *units: Callable[[Connection], Any]) -> None:
    """Run each function in a unit of work of its own."""

    async def run() -> None:
        store = command_line.store()
        try:
            for unit in units:
                await store.write(unit)
        finally:
            await store.close()

    asyncio.run(run())


def event(name: audit_trail.Event, at: int, **fields: Any) -> Callable[[Connection], Any]:
    return lambda connection: audit_trail.record(connection, name, now=at, **fields)


def shown(command_line: CommandLine, *options: str) -> list[dict[str, Any]]:
    ended = command_line.run("audit", "--json", *options)
    assert (ended.status, ended.errors) == (0, "" if ended.output else "nothing was found\n")
    return [json.loads(line) for line in ended.output.splitlines()]


def events(command_line: CommandLine, *options: str) -> list[str]:
    return [entry["event"] for entry in shown(command_line, *options)]


def test_events_of_commands_are_shown_with_the_newest_last(command_line: CommandLine) -> None:
    assert command_line.run("keys", "rotate").status == 0
    assert command_line.run("apply").status == 0
    assert command_line.run("user", "disable", "ada@example.com").status == 0
    assert command_line.run("user", "enable", "ada@example.com").status == 0
    assert command_line.run("client", "disable", "app").status == 0
    assert command_line.run("consent", "withdraw", "ada@example.com", "app").status == 0
    assert events(command_line) == [
        *["key_published"] * 4,
        "api_added",
        "client_added",
        "user_added",
        "user_disabled",
        "user_enabled",
        "client_disabled",
    ]
    by = [entry["detail"]["by"] for entry in shown(command_line)]
    assert by == ["command"] * 4 + ["file"] * 3 + ["command"] * 3


def test_lines_have_columns(command_line: CommandLine) -> None:
    command_line.run("apply")
    command_line.run("user", "sign-out", "ada@example.com")
    lines = command_line.run("audit").output.splitlines()
    assert re.fullmatch(
        r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ  user_signed_out  ada@example.com  -  +-  by=command", lines[-1]
    )
    assert len({line.index("by=") for line in lines}) == 1


def test_each_option_filters_the_rows(command_line: CommandLine) -> None:
    command_line.run("apply")
    now = system_clock()
    write(
        command_line,
        event("login", now - 50 * HOUR, address="192.0.2.1"),
        event("logout", now - 2 * HOUR),
        lambda connection: clients.disable_client(connection, "app", by="command", now=now),
        lambda connection: users.sign_out_user(connection, str(users.find_sub(connection, "ada@example.com")), now=now),
    )
    everything = events(command_line)
    assert everything == ["login", "logout", "api_added", "client_added", "user_added", *everything[5:]]
    assert sorted(everything[5:]) == ["client_disabled", "user_signed_out"]
    assert events(command_line, "--since", "3h") == everything[1:]
    assert events(command_line, "--since", "2d", "--until", "1h") == ["logout"]
    assert events(command_line, "--until", "2d") == ["login"]
    assert events(command_line, "--since", "2999-01-01") == []
    assert events(command_line, "--until", "2026-01-01T00:00:00+02:00") == []
    assert events(command_line, "--event", "client_added") == ["client_added"]
    several = ["--event", "client_added", "--event", "client_disabled"]
    assert events(command_line, *several) == ["client_added", "client_disabled"]
    assert events(command_line, "--user", "Ada@Example.com") == ["user_added", "user_signed_out"]
    assert events(command_line, "--client", "app") == ["client_added", "client_disabled"]
    assert events(command_line, "--limit", "2") == everything[-2:]
    assert events(command_line, "--limit", "100") == everything
    assert events(command_line, "--limit", "1", "--client", "app") == ["client_disabled"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--event", "nonsense"], f"there is no event nonsense; there are {', '.join(EVENTS)}"),
        (["--since", "yesterday"], "yesterday is not a time"),
        (["--until", "5y"], "5y is not a time"),
        (["--since", "2026-13-01"], "2026-13-01 is not a time"),
        (["--user", "unknown@example.com"], "there is no user"),
        (["--event", "a\x1b[2Jb"], '"a\\u001b[2Jb"'),
        (["--since", "1h", "--until", "2h"], "--since is later than --until"),
    ],
)
def test_an_invalid_option_is_refused_in_one_line(on_sqlite: CommandLine, options: list[str], reason: str) -> None:
    on_sqlite.run("apply")
    assert reason in on_sqlite.run("audit", *options).refused(1)


def test_signs_from_is_shown_as_a_time(on_sqlite: CommandLine) -> None:
    on_sqlite.run("keys", "rotate")
    for entry in shown(on_sqlite, "--event", "key_published"):
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["detail"]["signs_from"])
    assert re.search(r"signs_from=20\d\d-\d\d-\d\dT", on_sqlite.run("audit").output)


@pytest.mark.parametrize("at", ["999999999w", "1970-01-01", "9999-12-31T23:59:59"])
def test_other_formats_of_a_time_are_accepted(on_sqlite: CommandLine, at: str) -> None:
    on_sqlite.run("apply")
    assert on_sqlite.run("audit", "--since", at).status == 0


def test_the_trail_is_read_in_pages_in_order(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page ends in the middle of many rows with the same second."""
    migrate(command_line.database_url, "auth_service.migrations")
    row = {"event": "login", "detail": {}}
    many = [row | {"at": 1000 + number // 7, "sid": str(number)} for number in range(50)]
    write(command_line, lambda connection: connection.execute(insert(audit_table), many))
    for size in (1, 3, 7, 50, 51):
        monkeypatch.setattr(command, "_PAGE_SIZE", size)
        assert [entry["sid"] for entry in shown(command_line)] == [str(number) for number in range(50)]
        assert [entry["sid"] for entry in shown(command_line, "--limit", "9")] == [str(n) for n in range(41, 50)]
    assert all(earlier["at"] <= later["at"] for earlier, later in pairwise(shown(command_line)))


@pytest.mark.parametrize("hostile", ["\x1b[2J\x07", "a\nb", "\u202egnp.exe", "a\\b", "\x9b1m", "\u2028"])
def test_control_characters_from_callers_are_escaped(command_line: CommandLine, hostile: str) -> None:
    migrate(command_line.database_url, "auth_service.migrations")
    write(command_line, event("login", 1000, client_id=hostile, address=hostile[:45], detail={"kid": hostile}))
    (line,) = command_line.run("audit").output.removesuffix("\n").split("\n")
    assert line.isprintable()
    assert hostile not in line
    (as_json,) = command_line.run("audit", "--json").output.removesuffix("\n").split("\n")
    assert as_json.isascii()
    assert as_json.isprintable()
    assert json.loads(as_json)["client_id"] == hostile


def test_text_from_callers_cannot_look_like_another_column(on_sqlite: CommandLine) -> None:
    migrate(on_sqlite.database_url, "auth_service.migrations")
    write(on_sqlite, event("login", 1000, client_id='app"  by=file', detail={"kid": "1 by=2"}))
    assert on_sqlite.run("audit").output.endswith('  "app\\"  by=file"  -  by=service  kid="1 by=2"\n')


def test_the_trail_can_be_read_while_the_service_runs(command_line: CommandLine) -> None:
    with serving(command_line):
        assert Counter(events(command_line)) == {
            "key_published": 2,
            "api_added": 1,
            "client_added": 1,
            "user_added": 1,
        }
