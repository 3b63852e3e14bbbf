"""The commands `user …`."""

import asyncio

import pytest

from auth_service.authentication.users.passwords import Passwords
from auth_service.store.users import users
from tests.support.command_line import CommandLine, command_line, on_sqlite

__all__ = ["command_line", "on_sqlite"]


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


def test_a_second_user_with_the_same_email_is_refused(on_sqlite: CommandLine) -> None:
    assert on_sqlite.run("apply").status == 0
    assert "already" in on_sqlite.run(
        "user", "add", "ADA@example.com", "--password-stdin", typed="battery staple"
    ).refused(1)


def test_a_malformed_email_is_refused(on_sqlite: CommandLine) -> None:
    refused = on_sqlite.run("user", "add", "grace", "--password-stdin", typed="battery staple").refused(1)
    assert "not an email address" in refused


@pytest.mark.parametrize(
    ("typed", "options", "reason"),
    [
        ("", ["--password-stdin"], "at least 8"),
        ("\n", ["--password-stdin"], "at least 8"),
        ("p" * 1025, ["--password-stdin"], "1024"),
        ("anything", [], "--password-stdin"),
    ],
)
def test_a_password_that_cannot_be_used_is_refused(
    on_sqlite: CommandLine, typed: str, options: list[str], reason: str
) -> None:
    assert on_sqlite.run("apply").status == 0
    assert reason in on_sqlite.run("user", "add", "grace@example.com", *options, typed=typed).refused(1)
