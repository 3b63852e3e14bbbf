"""The command line as a person meets it: what it prints, its exit status, and the processes that it leaves running."""

import asyncio
import json
import signal
import sqlite3
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from auth_service.authentication.users.passwords import Passwords
from auth_service.store.clients import registrations
from auth_service.store.clients.registrations import Registration
from auth_service.store.users import users
from auth_service.vocabulary.algorithms import SIGNING_ALGS
from tests.support.command_line import CommandLine, command_line, on_sqlite, serving
from tests.support.patience import PATIENCE

__all__ = ["command_line", "on_sqlite"]


def published_kids(url: str) -> set[str]:
    with urllib.request.urlopen(f"{url}/jwks", timeout=PATIENCE) as response:
        return {key["kid"] for key in json.load(response)["keys"]}


def test_a_plan_is_applied_once(command_line: CommandLine) -> None:
    planned = command_line.run("plan")
    assert planned.status == 0
    assert planned.output.splitlines() == [
        "create api https://api.example.com",
        "create client app",
        "create user ada@example.com",
    ]
    assert command_line.run("apply").output == planned.output
    assert command_line.run("apply").output == command_line.run("plan").output == "nothing to change\n"


def test_a_plan_warns_of_a_secret_that_must_be_form_encoded(on_sqlite: CommandLine) -> None:
    quiet = on_sqlite.run("plan")
    planned = on_sqlite.run("plan", APP_SECRET="a/secret=of+at%least thirty-two characters")
    assert (planned.status, planned.output) == (0, quiet.output)
    (warning,) = set(planned.errors.splitlines()) - set(quiet.errors.splitlines())
    assert "client app: the client_secret contains + or %" in warning
    assert "thirty" not in warning


def test_one_command_migrates_applies_and_serves_and_a_rotation_is_soon_published(command_line: CommandLine) -> None:
    with serving(command_line, "--workers", "2") as url:
        first = published_kids(url)
        assert command_line.run("plan").output == "nothing to change\n"
        rotated = command_line.spawn("keys", "rotate")
        assert (rotated.status, rotated.errors) == (0, "")
        end = time.monotonic() + PATIENCE
        while len(kids := published_kids(url)) < 4 and time.monotonic() < end:
            time.sleep(0.1)
        assert {line.split()[1] for line in rotated.output.splitlines()} == kids - first


def test_keys_are_listed_rotated_and_withdrawn(command_line: CommandLine) -> None:
    rotated = command_line.run("keys", "rotate")
    assert rotated.status == 0
    again = command_line.run("keys", "rotate")
    waits = "".join(f"a new key for {alg} waits already\n" for alg in SIGNING_ALGS)
    assert (again.status, again.output) == (0, waits)
    kids = {(alg, state): kid for kid, alg, state in listed_keys(command_line)}
    assert kids.keys() == {(alg, state) for alg in SIGNING_ALGS for state in ("signing", "waiting")}
    assert rotated.output == "".join(f"published {kids[alg, 'waiting']} for {alg}\n" for alg in SIGNING_ALGS)
    stolen = kids["ES256", "signing"]
    assert command_line.run("keys", "withdraw", stolen).status == 0
    listed = listed_keys(command_line)
    assert sorted(state for _, alg, state in listed if alg == "ES256") == ["signing", "waiting", "withdrawn"]
    assert (stolen, "ES256", "withdrawn") in listed
    assert command_line.run("keys", "withdraw", stolen).output == f"{stolen} was withdrawn before\n"
    assert "no key" in command_line.run("keys", "withdraw", "nonsense").refused(1)


def listed_keys(command_line: CommandLine) -> list[tuple[str, str, str]]:
    """kid, algorithm and state of each."""
    lines = [line.split() for line in command_line.run("keys", "list").output.splitlines()]
    return [(line[0], line[1], line[2]) for line in lines]


async def test_a_user_is_added_disabled_enabled_and_given_a_password(command_line: CommandLine) -> None:
    async def credentials() -> users.Credentials | None:
        return await store.read(users.find_credentials, users.email_key("Grace@example.com"))

    async def run(*arguments: str, typed: str = "") -> None:
        ended = await asyncio.to_thread(command_line.run, "user", *arguments, "grace@example.com", typed=typed)
        assert (ended.status, ended.errors) == (0, "")

    assert (await asyncio.to_thread(command_line.run, "apply")).status == 0
    await run("add", "--password-stdin", typed="battery staple\n")
    store, passwords = command_line.store(), Passwords(threads=1)
    try:
        added = await credentials()
        assert added is not None
        assert (await passwords.verify("battery staple", added.password_hash)).matches
        await run("disable")
        assert await credentials() is None
        await run("enable")
        assert await credentials() == added
        await run("set-password", "--password-stdin", typed="another one")
        changed = await credentials()
        assert changed is not None
        assert (await passwords.verify("another one", changed.password_hash)).matches
        await run("sign-out")
    finally:
        passwords.close()
        await store.close()


def test_an_email_belongs_to_one_user(on_sqlite: CommandLine) -> None:
    assert on_sqlite.run("apply").status == 0
    assert "already" in on_sqlite.run(
        "user", "add", "ADA@example.com", "--password-stdin", typed="battery staple"
    ).refused(1)


def test_a_listed_name_cannot_command_the_terminal(on_sqlite: CommandLine) -> None:
    """Names from before today's rule may still be stored."""

    async def add() -> None:
        hostile = Registration(
            client_id="hostile",
            token_hash=b"",
            secret_hash=None,
            metadata={"client_name": "a\x9b2J\u202eb\ncc  file  enabled  The App"},
            origins=(),
            created_at=1,
        )
        store = on_sqlite.store()
        assert await store.write(
            registrations.add_registration, hostile, registered_from=b"", keep_unused=1, max_clients=1
        )
        await store.close()

    on_sqlite.run("apply")
    asyncio.run(add())
    output = on_sqlite.run("client", "list").output
    assert r"hostile  registration  enabled  a\x9b2J\u202eb\ncc  file  enabled  The App" in output.splitlines()


@pytest.mark.parametrize(
    "arguments", [("client", "disable"), ("user", "disable"), ("user", "add"), ("keys", "withdraw")]
)
def test_a_refused_name_cannot_command_the_terminal(on_sqlite: CommandLine, arguments: tuple[str, str]) -> None:
    on_sqlite.run("apply")
    assert r"\x9b2J\u202e" in on_sqlite.run(*arguments, "\x9b2J\u202e").refused(1)


def test_a_client_is_listed_disabled_and_enabled(command_line: CommandLine) -> None:
    def states() -> list[str]:
        return [line.split()[2] for line in command_line.run("client", "list").output.splitlines()]

    command_line.run("apply")
    assert command_line.run("client", "list").output == "app  file  enabled  The App\n"
    assert command_line.run("client", "disable", "app").status == 0
    assert states() == ["disabled"]
    assert command_line.run("apply").output == "nothing to change\n"
    assert states() == ["disabled"]
    assert command_line.run("client", "enable", "app").status == 0
    assert states() == ["enabled"]
    assert command_line.run("consent", "withdraw", "ada@example.com", "app").status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "disable", "nobody@example.com"),
        ("user", "enable", "nobody@example.com"),
        ("user", "sign-out", "nobody@example.com"),
        ("user", "set-password", "nobody@example.com", "--password-stdin"),
        ("client", "disable", "nobody"),
        ("client", "enable", "nobody"),
        ("consent", "withdraw", "nobody@example.com", "app"),
        ("consent", "withdraw", "ada@example.com", "nobody"),
    ],
)
def test_an_unknown_name_is_one_line(on_sqlite: CommandLine, arguments: tuple[str, ...]) -> None:
    on_sqlite.run("apply")
    assert "there is no" in on_sqlite.run(*arguments, typed="x").refused(1)


@pytest.mark.parametrize(
    ("typed", "options", "reason"),
    [
        ("", ["--password-stdin"], "at least 8"),
        ("\n", ["--password-stdin"], "at least 8"),
        ("p" * 1025, ["--password-stdin"], "1024"),
        ("anything", [], "--password-stdin"),
    ],
)
def test_a_password_that_nobody_could_type_is_refused(
    on_sqlite: CommandLine, typed: str, options: list[str], reason: str
) -> None:
    assert on_sqlite.run("apply").status == 0
    assert reason in on_sqlite.run("user", "add", "grace@example.com", *options, typed=typed).refused(1)


def test_serve_and_apply_refuse_to_disable_most_and_plan_says_so(on_sqlite: CommandLine) -> None:
    assert on_sqlite.run("apply").status == 0
    on_sqlite.config.write_text(on_sqlite.config.read_text().partition("[[api]]")[0])
    planned = on_sqlite.run("plan")
    assert planned.output.splitlines() == [
        "disable api https://api.example.com",
        "disable client app",
        "disable user ada@example.com",
    ]
    assert "warning: `apply` and `serve` will refuse this" in planned.errors
    assert "--allow-disable" in on_sqlite.run("apply").refused(2)
    served = on_sqlite.spawn("serve", "--port", "0")
    assert (served.status, served.output) == (2, "")
    assert "--allow-disable" in served.errors.splitlines()[-1]
    assert on_sqlite.run("apply", "--allow-disable").output == planned.output
    assert on_sqlite.run("plan").errors == ""


def test_plan_and_apply_warn_of_a_declaration_without_effect(on_sqlite: CommandLine) -> None:
    with on_sqlite.config.open("a") as config:
        config.write("""
[[client]]
client_id = "spa"
token_endpoint_auth_method = "none"
redirect_uris = ["http://localhost:3000/callback"]
first_party = true
""")
    for command in ("plan", "apply"):
        assert "warning: client spa: first_party has no effect" in on_sqlite.run(command).errors


def test_a_plan_finds_what_serve_would_not_begin_with(on_sqlite: CommandLine) -> None:
    for master_key, reason in (("weak", "32 bytes"), ("env:NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE")):
        mistaken = on_sqlite.run("plan", AUTH_MASTER_KEY=master_key)
        assert (mistaken.status, mistaken.output) == (2, "")
        assert reason in mistaken.errors
    assert list(on_sqlite.folder.iterdir()) == [on_sqlite.config]
    assert on_sqlite.run("keys", "rotate").status == 0
    assert "not the one" in on_sqlite.run("plan", AUTH_MASTER_KEY="A" * 43).refused(2)
    (on_sqlite.folder / "master.key").unlink()
    assert "master.key" in on_sqlite.run("plan").refused(2)


def test_a_server_that_begins_anew_says_so(on_sqlite: CommandLine) -> None:
    for is_new in (True, False):
        process = on_sqlite.start("serve", "--port", "0")
        assert process.stdout is not None
        assert "listens on" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE)
        made = (f"made the database {on_sqlite.database_url}", f"made a master key at {on_sqlite.folder}/master.key")
        assert [line in log for line in made] == [is_new] * 2


def test_an_email_must_be_one(on_sqlite: CommandLine) -> None:
    refused = on_sqlite.run("user", "add", "grace", "--password-stdin", typed="battery staple").refused(1)
    assert "not an email address" in refused


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
def test_misconfiguration_is_one_line(on_sqlite: CommandLine, environment: dict[str, str], reason: str) -> None:
    assert on_sqlite.run("apply").status == 0
    command = ["keys", "rotate"] if "AUTH_MASTER_KEY" in environment else ["apply"]
    assert reason in on_sqlite.run(*command, **environment).refused(2)


def test_a_server_does_not_start_with_a_mistake(on_sqlite: CommandLine) -> None:
    assert on_sqlite.run("keys", "rotate").status == 0
    assert "32 bytes" in on_sqlite.spawn("serve", "--port", "0", AUTH_MASTER_KEY="weak").refused(2)
    assert "at least 32" in on_sqlite.spawn("serve", "--port", "0", APP_SECRET="weak").refused(2)
    for command in (["serve", "--port", "0"], ["plan"]):
        weak = on_sqlite.spawn(*command, AUTH_REGISTRATION__INITIAL_ACCESS_TOKEN="weak").refused(2)
        assert "initial_access_token needs at least 32" in weak


def test_a_missing_file_is_one_line(on_sqlite: CommandLine) -> None:
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
def test_a_database_at_a_mistyped_address_is_not_made(on_sqlite: CommandLine, arguments: tuple[str, ...]) -> None:
    assert "there is no such database yet" in on_sqlite.run(*arguments).refused(2)
    assert list(on_sqlite.folder.iterdir()) == [on_sqlite.config]


@pytest.mark.parametrize("arguments", [("keys", "rotate"), ("apply",), ("user", "add", "--password-stdin", "b@x.org")])
def test_a_database_that_is_made_is_told_of(on_sqlite: CommandLine, arguments: tuple[str, ...]) -> None:
    made = f"auth service: made the database {on_sqlite.database_url}\n"
    assert on_sqlite.run(*arguments, typed="battery staple\n").errors == made
    assert on_sqlite.run("keys", "rotate").errors == ""


def test_a_database_is_told_of_though_the_command_on_it_is_refused(on_sqlite: CommandLine) -> None:
    refused = on_sqlite.run("user", "add", "--password-stdin", "b@x.org", typed="short\n")
    made, reason = refused.errors.splitlines()
    assert made == f"auth service: made the database {on_sqlite.database_url}"
    assert "at least 8 characters" in reason


def test_a_plan_for_a_database_that_is_not_there_makes_none(on_sqlite: CommandLine) -> None:
    plan = on_sqlite.run("plan")
    assert "create" in plan.output
    assert plan.errors == f"auth service: there is no database {on_sqlite.database_url} yet; `serve` makes it\n"
    assert list(on_sqlite.folder.iterdir()) == [on_sqlite.config]


@pytest.mark.parametrize("arguments", [("audit",), ("keys", "list"), ("client", "list"), ("plan",)])
def test_what_only_reads_waits_for_no_writer(on_sqlite: CommandLine, arguments: tuple[str, ...]) -> None:
    assert on_sqlite.run("apply").status == 0
    assert on_sqlite.run("keys", "rotate").status == 0
    with closing(sqlite3.connect(on_sqlite.folder / "auth.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")  # until the writer is closed, so one that waits is refused in the end
        shown = on_sqlite.run(*arguments)
    assert (shown.status, shown.errors) == (0, "")
    assert shown.output


def test_what_writes_is_refused_in_one_line_when_another_does_not_end(on_sqlite: CommandLine) -> None:
    assert on_sqlite.run("apply").status == 0
    with closing(sqlite3.connect(on_sqlite.folder / "auth.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        locked = on_sqlite.spawn("user", "disable", "ada@example.com").refused(2)
    assert "database is locked" in locked


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
@pytest.mark.parametrize("arguments", [("audit",), ("plan",), ("keys", "rotate")])
def test_an_output_that_does_not_fit_is_refused_in_one_line(on_sqlite: CommandLine, arguments: tuple[str, ...]) -> None:
    assert on_sqlite.run("apply").status == 0
    with Path("/dev/full").open("w") as full:
        process = on_sqlite.start(*arguments, stdout=full)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (1, "auth service: the command ran, but no space is left for its output\n")


def test_a_host_for_metrics_without_a_port_is_a_mistake(on_sqlite: CommandLine) -> None:
    ended = on_sqlite.spawn("serve", "--port", "0", "--metrics-host", "127.0.0.1")
    assert (ended.status, ended.output) == (2, "")
    assert "--metrics-host needs --metrics-port" in ended.errors


def test_a_wrong_master_key_is_refused_and_a_lost_one_is_not_replaced(on_sqlite: CommandLine) -> None:
    assert on_sqlite.run("keys", "rotate").status == 0
    key = on_sqlite.folder / "master.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "master_key" in on_sqlite.run("keys", "rotate", AUTH_MASTER_KEY="A" * 43).refused(2)
    assert "master_key" in on_sqlite.spawn("serve", "--port", "0", AUTH_MASTER_KEY="A" * 43).refused(2)
    moved = key.rename(on_sqlite.folder / "elsewhere")
    assert "does not exist" in on_sqlite.run("keys", "rotate").refused(2)
    assert not key.exists()
    moved.rename(key)
    assert on_sqlite.run("keys", "rotate").status == 0


async def test_many_first_starts_at_once_agree(command_line: CommandLine) -> None:
    ended = await asyncio.gather(*(asyncio.to_thread(command_line.spawn, "keys", "rotate") for _ in range(3)))
    assert [one.status for one in ended] == [0, 0, 0], ended
    listed = await asyncio.to_thread(listed_keys, command_line)
    assert sorted((alg, state) for _, alg, state in listed) == [
        (alg, state) for alg in SIGNING_ALGS for state in ("signing", "waiting")
    ]
