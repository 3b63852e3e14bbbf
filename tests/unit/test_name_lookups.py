"""Name lookups: shared by concurrent callers, bounded in number, and without a wait for a name server that hangs."""

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
    """Resolves every host. For hosts that begin with `slow` it waits until `end` is set; `unknown` hosts fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.end = threading.Event()

    def __call__(self, host: str) -> list[Address]:
        self.asked.append(host)
        if host.startswith("slow"):
            self.end.wait()
        if host.startswith("unknown"):
            raise OSError("no such host")
        return HERE


@pytest.fixture
def server() -> NameServer:
    return NameServer()


async def test_concurrent_callers_share_one_lookup(server: NameServer) -> None:
    server.end.clear()
    names = NameLookups(server)
    asking = [asyncio.create_task(names.resolve("slow.example")) for _ in range(20)]
    await asyncio.sleep(0)
    server.end.set()
    assert await asyncio.gather(*asking) == [HERE] * 20
    assert server.asked == ["slow.example"]
    assert await names.resolve("slow.example") == HERE  # a new lookup
    assert len(server.asked) == 2


async def test_failure_is_not_cached(server: NameServer) -> None:
    names = NameLookups(server)
    for _ in range(2):
        with pytest.raises(OSError, match="no such host"):
            await names.resolve("unknown.example")
    assert len(server.asked) == 2


async def test_hanging_lookup_is_refused_to_later_callers_and_delays_no_other_host(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = NameLookups(server)
    hanging = [asyncio.create_task(names.resolve(f"slow-{n}.example")) for n in range(MAX_LOOKUPS - 1)]
    await asyncio.sleep(0)
    assert await names.resolve("fast.example") == HERE
    monkeypatch.setattr(name_lookups, "LOOKUP_TIMEOUT", -1.0)
    with pytest.raises(OSError, match="does not answer"):
        await names.resolve("slow-1.example")
    server.end.set()
    await asyncio.gather(*hanging)
    assert await names.resolve("slow-1.example") == HERE


async def test_number_of_concurrent_lookups_is_bounded(server: NameServer) -> None:
    names = NameLookups(server)
    hanging = [asyncio.create_task(names.resolve(f"slow-{n}.example")) for n in range(MAX_LOOKUPS)]
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="too many"):
        await names.resolve("fast.example")
    server.end.set()
    await asyncio.gather(*hanging)
    assert await names.resolve("fast.example") == HERE


async def test_cancelled_caller_does_not_cancel_the_shared_lookup(server: NameServer) -> None:
    names = NameLookups(server)
    one, other = (asyncio.create_task(names.resolve("slow.example")) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.sleep(0)
    server.end.set()
    assert await other == HERE


def test_process_ends_while_a_lookup_hangs() -> None:
    program = """
import asyncio, threading
from auth_service.outgoing.name_lookups import NameLookups
async def main():
    try:
        async with asyncio.timeout(0.1):
            await NameLookups(lambda host: threading.Event().wait()).resolve("slow.example")
    except TimeoutError:
        print("timed out")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "timed out\n", "")
