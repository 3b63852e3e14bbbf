"""The command `user import`: what it adds, what it refuses, and that it can be run again."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from auth_service.commands.user_import import _Progress
from auth_service.store.schema import tables
from auth_service.store.users import user_imports, users
from auth_service.store.users.user_imports import NewUser
from auth_service.user_import import importer
from tests.support.command_line import CommandLine, command_line, on_sqlite

__all__ = ["command_line", "on_sqlite"]

BCRYPT = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def stored_users(connection: Connection) -> dict[str, Any]:
    return {row.email: row for row in connection.execute(select(tables.users))}


def audited(connection: Connection) -> list[tuple[str, str, Any]]:
    statement = select(tables.audit.c.event, tables.audit.c.sub, tables.audit.c.detail).order_by(tables.audit.c.id)
    return [(row.event, row.sub, row.detail) for row in connection.execute(statement)]


async def test_users_are_added_once_and_existing_ones_are_not_changed(
    command_line: CommandLine, tmp_path: Path
) -> None:
    async def run(*options: str) -> tuple[int, str]:
        ended = await asyncio.to_thread(command_line.run, "user", "import", str(file), *options)
        return ended.status, ended.output

    file, report = tmp_path / "users.csv", tmp_path / "report.jsonl"
    file.write_text(
        "email,password_hash,id,sub,roles,name,disabled\n"
        f"Grace@example.com,{BCRYPT},1,,editor;admin,Grace Hopper,\n"
        f"ADA@example.com,{BCRYPT},2,,admin,Mallory,\n"
        "alan@example.com,,3,alan-3,,,true\n"
        "grace@EXAMPLE.com,,4,,,,\n"
        "hopper@example.com,,5,app,,,\n"
        "turing@example.com,,6,alan-3,,,\n"
    )
    assert (await asyncio.to_thread(command_line.run, "apply")).status == 0
    store = command_line.store()
    try:
        before = await store.read(stored_users)
        status, output = await run("--dry-run")
        assert status == 1
        assert output.splitlines()[:4] == [
            "row 5 has the email of row 2",
            "row 6 has a sub that is a client_id",
            "row 7 has the sub of row 4",
            "would add 2 users; imported before: 0; existing: 1; refused: 3; rows of other models: 0",
        ]
        assert await store.read(stored_users) == before

        assert (await run("--report", str(report)))[0] == 1
        added = await store.read(stored_users)
        assert added.keys() == {"ada@example.com", "Grace@example.com", "alan@example.com"}
        assert added["ada@example.com"] == before["ada@example.com"]
        grace, alan = added["Grace@example.com"], added["alan@example.com"]
        assert (grace.password_hash, grace.password_cost) == (BCRYPT, "bcrypt:32")
        assert (grace.claims, grace.roles) == ({"name": "Grace Hopper"}, ["editor", "admin"])
        assert (grace.origin, grace.disabled_at) == ("import", None)
        assert (alan.sub, alan.password_hash, alan.disabled_by) == ("alan-3", None, "command")
        mapping = [(each["row"], each["id"], each["result"], each.get("sub")) for each in rows_of(report)]
        assert mapping == [
            (2, "1", "added", grace.sub),
            (3, "2", "exists", before["ada@example.com"].sub),
            (4, "3", "added", "alan-3"),
            (5, "4", "refused", None),
            (6, "5", "refused", None),
            (7, "6", "refused", None),
        ]
        assert BCRYPT not in report.read_text()
        assert report.stat().st_mode & 0o077 == 0
        assert (await store.read(audited))[-2:] == [
            ("user_added", grace.sub, {"by": "import"}),
            ("user_added", "alan-3", {"by": "import", "disabled": True}),
        ]

        assert (await run("--report", str(report)))[0] == 1
        assert await store.read(stored_users) == added
        again = [(each["row"], each["result"], each.get("sub")) for each in rows_of(report)]
        assert again[:3] == [
            (2, "imported_before", grace.sub),
            (3, "exists", before["ada@example.com"].sub),
            (4, "imported_before", "alan-3"),
        ]
    finally:
        await store.close()


async def test_concurrent_imports_of_one_file_add_each_user_once(command_line: CommandLine) -> None:
    """Two imports of one file at the same time."""
    assert (await asyncio.to_thread(command_line.run, "apply")).status == 0
    batch = [NewUser(f"u{number}@x.example", f"u{number}@x.example", None, {}, [], None, False) for number in range(50)]
    store, other = command_line.store(), command_line.store()
    try:
        outcomes = await asyncio.gather(
            *(each.write(user_imports.import_users, batch, now=1) for each in (store, other, store, other))
        )
        results = sorted({outcome.result for outcome in done} for done in outcomes)
        assert results.count({"added"}) == 1
        assert all(done in ({"added"}, {"imported_before"}) for done in results)
        assert len({tuple(outcome.sub for outcome in done) for done in outcomes}) == 1
    finally:
        await store.close()
        await other.close()


async def test_interrupted_import_continues_after_what_it_committed(
    on_sqlite: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BATCH_SIZE", 2)
    file, report = tmp_path / "users.json", tmp_path / "report.jsonl"
    users_of_file = [json.dumps({"email": f"u{number}@example.com", "id": str(number)}) for number in range(5)]
    file.write_text(f"[{', '.join(users_of_file)}, ")
    cut_off = await asyncio.to_thread(on_sqlite.run, "user", "import", str(file))
    assert cut_off.status == 1
    assert "ends within the array" in cut_off.errors
    file.write_text(f"[{', '.join(users_of_file)}]")
    done = await asyncio.to_thread(on_sqlite.run, "user", "import", str(file), "--report", str(report))
    assert (done.status, done.errors) == (0, "")
    results = [each["result"] for each in rows_of(report)]
    assert results == ["imported_before"] * 4 + ["added"]
    store = on_sqlite.store()
    subs = [await store.read(users.find_sub, f"u{number}@example.com") for number in range(5)]
    await store.close()
    assert [each["sub"] for each in rows_of(report)] == subs


def test_kinds_of_hashes_are_limited_because_a_failed_login_computes_each(
    on_sqlite: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "users.jsonl"
    with file.open("w") as lines:
        for number in range(12):
            password_hash = (
                f"$argon2id$v=19$m={1024 + number},t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
            )
            lines.write(json.dumps({"email": f"u{number}@example.com", "password_hash": password_hash}) + "\n")
    ended = on_sqlite.run("user", "import", str(file), "--dry-run")
    assert ended.status == 1
    assert "would add 8 users" in ended.output
    assert ended.output.count("other parameters than the 8 kinds") == 4
    assert not (tmp_path / "auth.db").exists()


def test_file_that_cannot_be_used_ends_with_one_line(on_sqlite: CommandLine, tmp_path: Path) -> None:
    assert on_sqlite.run("apply").status == 0
    file = tmp_path / "users.csv"
    assert "cannot be read" in on_sqlite.run("user", "import", str(file)).refused(1)
    assert "cannot be read" in on_sqlite.run("user", "import", str(tmp_path)).refused(1)
    file.write_text("email,pasword_hash\n")
    ended = on_sqlite.run("user", "import", str(file))
    assert ended.status == 1
    assert "unknown column 'pasword_hash'" in ended.errors
    assert "would replace" in on_sqlite.run("user", "import", str(file), "--report", str(file)).refused(1)
    assert file.read_text() == "email,pasword_hash\n"
    missing = str(tmp_path / "missing" / "report")
    assert "cannot be written" in on_sqlite.run("user", "import", str(file), "--report", missing).refused(1)


def test_model_is_suggested_only_when_the_file_was_read_to_its_end(on_sqlite: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    group = json.dumps({"model": "auth.group", "pk": 1, "fields": {"name": "editors", "permissions": []}})
    hint = "--model names the Django model"
    file.write_text(f"[{group}]")
    assert hint in on_sqlite.run("user", "import", str(file), "--dry-run").output
    file.write_text(f"[{group}, ")
    cut_off = on_sqlite.run("user", "import", str(file), "--dry-run")
    assert "ends within the array" in cut_off.errors
    assert hint not in cut_off.output + cut_off.errors
    file.write_text(f'[{group}, "hello", {{"email": "ada@example.com"}}]')
    ended = on_sqlite.run("user", "import", str(file), "--dry-run")
    assert ended.status == 1
    assert "row 2 is not a JSON object" in ended.output
    assert "would add 1 users" in ended.output


def test_progress_is_a_line_every_ten_seconds_without_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "users.csv"
    file.write_text("x" * 100)
    now = 0.0
    with file.open("rb") as source:
        progress = _Progress(source, clock=lambda: now)
        progress.show(1)
        source.read(50)
        now = 11.0
        progress.show(200)
        progress.show(201)
        progress.end()
    assert capsys.readouterr().err == "200 rows, 50 % of the file\n"
