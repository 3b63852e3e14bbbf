"""The commands `keys …`."""

import asyncio

from auth_service.vocabulary.algorithms import SIGNING_ALGS
from tests.support.command_line import CommandLine, command_line, on_sqlite

__all__ = ["command_line", "on_sqlite"]


def listed_keys(command_line: CommandLine) -> list[tuple[str, str, str]]:
    """kid, algorithm and state of each."""
    lines = [line.split() for line in command_line.run("keys", "list").output.splitlines()]
    return [(line[0], line[1], line[2]) for line in lines]


def test_keys_are_listed_rotated_and_withdrawn(command_line: CommandLine) -> None:
    rotated = command_line.run("keys", "rotate")
    assert rotated.status == 0
    again = command_line.run("keys", "rotate")
    waits = "".join(f"a new key for {alg} is already waiting\n" for alg in SIGNING_ALGS)
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


def test_a_wrong_master_key_is_refused_and_a_missing_one_is_not_created(on_sqlite: CommandLine) -> None:
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


async def test_concurrent_first_starts_create_one_key_per_algorithm(command_line: CommandLine) -> None:
    ended = await asyncio.gather(*(asyncio.to_thread(command_line.spawn, "keys", "rotate") for _ in range(3)))
    assert [one.status for one in ended] == [0, 0, 0], ended
    listed = await asyncio.to_thread(listed_keys, command_line)
    assert sorted((alg, state) for _, alg, state in listed) == [
        (alg, state) for alg in SIGNING_ALGS for state in ("signing", "waiting")
    ]


def test_reencryption_has_its_earlier_name_as_an_alias(on_sqlite: CommandLine) -> None:
    assert on_sqlite.run("keys", "rotate").status == 0
    ended = on_sqlite.run("keys", "re-encrypt")
    assert ended.output == "nothing to do: 6 keys and secrets are encrypted with the only master key\n"
    assert on_sqlite.run("keys", "reseal") == ended
