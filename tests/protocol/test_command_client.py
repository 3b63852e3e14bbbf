"""The commands `client …` and `consent …`."""

import asyncio

from auth_service.store.clients import registrations
from auth_service.store.clients.registrations import Registration
from tests.support.command_line import CommandLine, command_line, on_sqlite

__all__ = ["command_line", "on_sqlite"]


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


def test_control_characters_in_a_listed_name_are_escaped(on_sqlite: CommandLine) -> None:
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
