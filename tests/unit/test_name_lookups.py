"""Name look-ups: one for all who ask, and a name server that never answers holds up nobody else, and no process."""

import asyncio
import subprocess
import sys
import threading
from ipaddress import ip_address

import pytest

from auth_service.outgoing import name_lookups
from auth_service.outgoing.name_lookups import MAX_LOOKUPS, NameLookups
from auth_service.outgoing.public_addresses import Address

HERE: list[Address] = [ip_address("93.184.216.34")]


class NameServer:
    """Answers all but the hosts that begin with `dead`, of which it says nothing until `end` is set."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.end = threading.Event()

    def __call__(self, host: str) -> list[Address]:
        self.asked.append(host)
        if host.startswith("dead"):
            self.end.wait()
        if host.startswith("unknown"):
            raise OSError("no such host")
        return HERE


@pytest.fixture
def server() -> NameServer:
    return NameServer()


async def test_many_who_ask_at_once_are_one_look_up(server: NameServer) -> None:
    server.end.clear()
    names = NameLookups(server)
    asking = [asyncio.create_task(names.resolve("dead.example")) for _ in range(20)]
    await asyncio.sleep(0)
    server.end.set()
    assert await asyncio.gather(*asking) == [HERE] * 20
    assert server.asked == ["dead.example"]
    assert await names.resolve("dead.example") == HERE  # asked anew
    assert len(server.asked) == 2


async def test_a_failure_is_told_to_all_and_not_remembered(server: NameServer) -> None:
    names = NameLookups(server)
    for _ in range(2):
        with pytest.raises(OSError, match="no such host"):
            await names.resolve("unknown.example")
    assert len(server.asked) == 2


async def test_one_that_hangs_is_not_waited_for_again_and_others_go_on(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = NameLookups(server)
    hanging = [asyncio.create_task(names.resolve(f"dead-{n}.example")) for n in range(MAX_LOOKUPS - 1)]
    await asyncio.sleep(0)
    assert await names.resolve("alive.example") == HERE
    monkeypatch.setattr(name_lookups, "LOOKUP_TIMEOUT", -1.0)
    with pytest.raises(OSError, match="does not answer"):
        await names.resolve("dead-1.example")
    server.end.set()
    await asyncio.gather(*hanging)
    assert await names.resolve("dead-1.example") == HERE


async def test_there_are_never_more_than_so_many(server: NameServer) -> None:
    names = NameLookups(server)
    hanging = [asyncio.create_task(names.resolve(f"dead-{n}.example")) for n in range(MAX_LOOKUPS)]
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="too many"):
        await names.resolve("alive.example")
    server.end.set()
    await asyncio.gather(*hanging)
    assert await names.resolve("alive.example") == HERE


async def test_who_gives_up_takes_nobody_along(server: NameServer) -> None:
    names = NameLookups(server)
    one, other = (asyncio.create_task(names.resolve("dead.example")) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.sleep(0)
    server.end.set()
    assert await other == HERE


def test_a_process_ends_while_a_look_up_hangs() -> None:
    program = """
import asyncio, threading
from auth_service.outgoing.name_lookups import NameLookups
async def main():
    try:
        async with asyncio.timeout(0.1):
            await NameLookups(lambda host: threading.Event().wait()).resolve("dead.example")
    except TimeoutError:
        print("left")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")
