"""The master key is replaced by commands, also while two processes run that have only the old key in memory."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.command_line import CommandLine
from tests.support.declared import MASTER_KEY, declared_toml
from tests.support.relying_party import RelyingParty, header_of
from tests.support.waiting import until_it_is

pytestmark = pytest.mark.postgresql

NEW = "B" * 42 + "A"


def write_master_keys(command_line: CommandLine, *keys: str) -> None:
    (command_line.folder / "master.key").write_text("".join(f"{key}\n" for key in keys))


@pytest.fixture
def command_line(auth_database_url: str, tmp_path: Path) -> CommandLine:
    """A prepared store with two signing keys and two secrets, and the old master key in a file."""
    command_line = CommandLine(auth_database_url, tmp_path)
    command_line.config.write_text(declared_toml(auth_database_url, master_key=f"file:{tmp_path}/master.key"))
    write_master_keys(command_line, MASTER_KEY)
    return command_line


def reencrypt(command_line: CommandLine) -> None:
    """Replace the master key completely."""
    write_master_keys(command_line, NEW, MASTER_KEY)
    assert command_line.run("keys", "re-encrypt").status == 0
    write_master_keys(command_line, NEW)


def signing_kid(command_line: CommandLine) -> str:
    lines = [line.split() for line in command_line.run("keys", "list").output.splitlines()]
    (kid,) = [kid for kid, alg, state, *_ in lines if (alg, state) == ("ES256", "signing")]
    return kid


def test_reencryption_prints_the_number_of_values_and_of_master_keys(command_line: CommandLine) -> None:
    write_master_keys(command_line, NEW, MASTER_KEY)
    ended = command_line.run("keys", "re-encrypt")
    assert (ended.status, ended.output) == (0, "encrypted 4 keys and secrets with the first of 2 master keys\n")
    again = command_line.run("keys", "re-encrypt")
    nothing = "nothing to do: 4 keys and secrets are encrypted with the first of 2 master keys\n"
    assert (again.status, again.output) == (0, nothing)


def test_keys_are_rotated_and_withdrawn_with_the_new_master_key_alone(command_line: CommandLine) -> None:
    reencrypt(command_line)
    assert command_line.run("keys", "rotate").status == 0
    kid = signing_kid(command_line)
    ended = command_line.run("keys", "withdraw", kid)
    assert (ended.status, ended.output) == (0, f"withdrew {kid}\n")
    assert signing_kid(command_line) != kid


def test_the_old_master_key_alone_is_refused_with_one_line_and_status_2(command_line: CommandLine) -> None:
    reencrypt(command_line)
    write_master_keys(command_line, MASTER_KEY)
    for command in (("rotate",), ("withdraw", "--all"), ("re-encrypt",)):
        assert "master_key: not the one" in command_line.run("keys", *command).refused(2)


@dataclass
class Processes:
    """Two processes on one store. `bots`: the same client, connected to each of them."""

    auths: list[AuthService]
    clock: MovableClock

    @property
    def bots(self) -> list[RelyingParty]:
        return [auth.relying_party("bot") for auth in self.auths]

    async def issue(self) -> set[str]:
        """Return the kids of a new token of each process. Asserts that it is active at all processes."""
        self.clock.advance(seconds=1)
        responses = [await bot.client_credentials() for bot in self.bots]
        assert [response.status_code for response in responses] == [200] * len(responses)
        tokens = [response.json()["access_token"] for response in responses]
        for bot in self.bots:
            assert [(await bot.introspect(token)).json()["active"] for token in tokens] == [True] * len(tokens)
        return {header_of(token)["kid"] for token in tokens}

    async def published(self) -> list[set[str]]:
        """Return the kids in the JWK Set of each process."""
        responses = [await auth.http().get("/jwks") for auth in self.auths]
        return [{key["kid"] for key in response.json()["keys"]} for response in responses]


@pytest.fixture
async def processes(command_line: CommandLine) -> AsyncIterator[Processes]:
    # Commands use the real clock or the newest time in the store, whichever is later; the services are not behind it.
    clock = MovableClock(max(int(time.time()), MovableClock().now))
    async with AsyncExitStack() as stack:
        auths = [
            await stack.enter_async_context(
                running_auth_service(
                    command_line.database_url, clock, master_key=f"file:{command_line.folder}/master.key"
                )
            )
            for _ in range(2)
        ]
        yield Processes(auths, clock)


async def test_tokens_are_issued_and_introspected_at_every_step(
    processes: Processes, command_line: CommandLine
) -> None:
    (before,) = await processes.issue()
    published = await processes.published()
    for master_keys in ((MASTER_KEY, NEW), (NEW, MASTER_KEY)):
        write_master_keys(command_line, *master_keys)
        assert await processes.issue() == {before}
    assert (await asyncio.to_thread(command_line.run, "keys", "re-encrypt")).status == 0
    write_master_keys(command_line, NEW)
    assert await processes.issue() == {before}
    assert await processes.published() == published


async def test_processes_that_started_with_the_old_master_key_sign_with_a_key_added_later(
    processes: Processes, command_line: CommandLine
) -> None:
    (before,) = await processes.issue()
    await asyncio.to_thread(reencrypt, command_line)
    for command in (("rotate",), ("withdraw", before)):
        assert (await asyncio.to_thread(command_line.run, "keys", *command)).status == 0
    processes.clock.advance(seconds=max(0, int(time.time()) - processes.clock.now))  # a slow machine needs long

    async def is_replaced() -> bool:
        kids = await processes.issue()
        return before not in kids and len(kids) == 1

    await until_it_is(is_replaced)
