"""Run several servers as one: up together, down together, and a plain word when one of them ends by itself."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import httpx

SECONDS_TO_START = 180  # a busy machine takes a minute; a server that ends is noticed at once
SECONDS_TO_STOP = 25  # a little more than the services give their requests under way


class DemoFailed(Exception):
    """Why the demo cannot start or go on, in one line."""


@dataclass(frozen=True)
class Server:
    """`ready_url` is answered below 500 as soon as the server can be used."""

    name: str
    command: list[str]
    port: int
    ready_url: str
    environment: Mapping[str, str] = field(default_factory=dict)


class _Running:
    """One started server, whose output goes to a file of its own."""

    def __init__(self, server: Server, process: asyncio.subprocess.Process, log: Path) -> None:
        self.server = server
        self.process = process
        self.log = log
        self.ended = asyncio.create_task(process.wait())

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        try:
            await asyncio.wait_for(self.ended, SECONDS_TO_STOP)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def obituary(self) -> str:
        status = self.process.returncode or 0
        if status < 0:
            return f"the {self.server.name} was killed by {signal.Signals(-status).name} (see {self.log})"
        said = self.log.read_text(errors="replace").split("\n")
        last_words = next(filter(None, reversed(said)), "it said nothing")
        return f"the {self.server.name} ended with status {status}: {last_words} (see {self.log})"


def run(prepare: Callable[[], list[Server]], welcome: Callable[[], str], *, name: str, logs: Path) -> int:
    """The servers that `prepare` returns, in the foreground until they are told to stop; the exit status.

    `welcome` is printed once all of them answer. What keeps them from starting is one line, begun by `name`.
    """
    try:
        servers = prepare()
        refuse_taken_ports(servers)
        _say(sys.stdout, f"{name}: starting {', '.join(server.name for server in servers)} ...")
        asyncio.run(supervise(servers, lambda: _say(sys.stdout, welcome()), logs=logs))
    except (DemoFailed, OSError) as reason:
        _say(sys.stderr, f"{name}: {reason}")
        return 1
    except KeyboardInterrupt:
        pass  # before there was anything to stop
    return 0


def _say(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


def refuse_taken_ports(servers: list[Server]) -> None:
    """Raises DemoFailed when something listens already where one of `servers` should, on IPv4 or IPv6 loopback."""
    for server in servers:
        for address in ("127.0.0.1", "::1"):
            try:
                socket.create_connection((address, server.port), timeout=1).close()
            except OSError:
                continue
            raise DemoFailed(f"port {server.port}, which the {server.name} needs, is in use by another program")


async def supervise(servers: list[Server], when_ready: Callable[[], None], *, logs: Path) -> None:
    """Run `servers` until SIGINT, SIGTERM or SIGHUP, and call `when_ready` once all of them answer.

    What they say goes to files in the folder `logs`, begun anew at each start.
    Raises DemoFailed when one ends by itself or does not answer in time; the others are stopped first.
    """
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    running: list[_Running] = []
    try:
        for server in servers:
            running.append(await _start(server, logs))
        stop = asyncio.create_task(asked_to_stop.wait())
        ready = asyncio.create_task(all_answer(servers))
        endings = [one.ended for one in running]
        await asyncio.wait([stop, ready, *endings], return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            ready.result()
            when_ready()
            await asyncio.wait([stop, *endings], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        # Ctrl-C reaches the servers at the same moment as us: that they ended by it is no failure.
        await asyncio.wait([stop], timeout=0.2)
        if not asked_to_stop.is_set():
            raise DemoFailed(next(one for one in running if one.ended.done()).obituary())
    finally:
        await asyncio.gather(*(one.stop() for one in running))


async def _start(server: Server, logs: Path) -> _Running:
    path = logs / f"{server.name.replace(' ', '-').lower()}.log"
    with path.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *server.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **server.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )
    return _Running(server, process, path)


async def all_answer(servers: list[Server]) -> None:
    """Return once every one of `servers` can be used. Raises DemoFailed when one does not answer in time."""
    async with httpx.AsyncClient(trust_env=False, timeout=2) as browser:
        await asyncio.gather(*(_answers(browser, server) for server in servers))


async def _answers(browser: httpx.AsyncClient, server: Server) -> None:
    try:
        async with asyncio.timeout(SECONDS_TO_START):
            while True:
                try:
                    if (await browser.get(server.ready_url)).status_code < 500:
                        return
                except httpx.TransportError:
                    pass  # not there yet
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise DemoFailed(f"the {server.name} does not answer after {SECONDS_TO_START} s") from None
