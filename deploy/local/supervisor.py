"""Run several servers together: start all, stop all, and report when one of them exits by itself."""

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

START_TIMEOUT = 180.0
"""Seconds. A busy machine needs a minute. A server that exits is reported immediately."""
STOP_TIMEOUT = 25.0
"""Seconds: a little longer than the services wait for their open requests."""


class SupervisorError(Exception):
    """The servers cannot start, or one of them exited. The text is one line."""


@dataclass(frozen=True)
class Server:
    """The server is ready when a GET of `ready_url` is answered with a status below 500."""

    name: str
    command: list[str]
    port: int
    ready_url: str
    environment: Mapping[str, str] = field(default_factory=dict)


def service(name: str, package: str, config: Path, port: int, **environment: str) -> Server:
    """Return the auth service or the notes API as a server that is ready when /readyz answers 200."""
    command = [sys.executable, "-m", package, "serve", "--config", str(config), "--port", str(port)]
    return Server(name, command, port, f"http://127.0.0.1:{port}/readyz", environment)


class _Process:
    """One started server. Its output goes to the file `log`."""

    def __init__(self, server: Server, process: asyncio.subprocess.Process, log: Path) -> None:
        self.server = server
        self.process = process
        self.log = log
        self.exited = asyncio.create_task(process.wait())

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        try:
            await asyncio.wait_for(self.exited, STOP_TIMEOUT)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def exit_message(self) -> str:
        status = self.process.returncode or 0
        if status < 0:
            return f"the {self.server.name} was killed by {signal.Signals(-status).name} (see {self.log})"
        lines = self.log.read_text(errors="replace").split("\n")
        last_line = next(filter(None, reversed(lines)), "it logged nothing")
        return f"the {self.server.name} ended with status {status}: {last_line} (see {self.log})"


def run(prepare: Callable[[], list[Server]], welcome: Callable[[], str], *, name: str, logs: Path) -> int:
    """Run the servers that `prepare` returns until a stop signal; return the exit status.

    The text of `welcome` is printed when all servers are ready. An error is printed as one line after `name`.
    """
    try:
        servers = prepare()
        refuse_taken_ports(servers)
        _print_line(sys.stdout, f"{name}: starting {', '.join(server.name for server in servers)} ...")
        asyncio.run(supervise(servers, lambda: _print_line(sys.stdout, welcome()), logs=logs))
    except (SupervisorError, OSError) as reason:
        _print_line(sys.stderr, f"{name}: {reason}")
        return 1
    except KeyboardInterrupt:
        pass  # before the servers were started
    return 0


def _print_line(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


def refuse_taken_ports(servers: list[Server]) -> None:
    """Raise SupervisorError when another program listens on a port of `servers`, on IPv4 or IPv6 loopback."""
    for server in servers:
        for address in ("127.0.0.1", "::1"):
            try:
                socket.create_connection((address, server.port), timeout=1).close()
            except OSError:
                continue
            raise SupervisorError(f"port {server.port}, which the {server.name} needs, is in use by another program")


async def supervise(servers: list[Server], when_ready: Callable[[], None], *, logs: Path) -> None:
    """Run `servers` until SIGINT, SIGTERM or SIGHUP, and call `when_ready` once all of them are ready.

    Their output goes to files in the folder `logs`, which are overwritten at each start.
    Raises SupervisorError when a server exits by itself or is not ready in time; the others are stopped first.
    """
    stop_requested = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop_requested.set)
    running: list[_Process] = []
    try:
        for server in servers:
            running.append(await _start(server, logs))
        stop = asyncio.create_task(stop_requested.wait())
        ready = asyncio.create_task(wait_until_ready(servers))
        exits = [process.exited for process in running]
        await asyncio.wait([stop, ready, *exits], return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            ready.result()
            when_ready()
            await asyncio.wait([stop, *exits], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        # Ctrl-C reaches the servers and this process at the same moment: servers that exit because of it did not fail.
        await asyncio.wait([stop], timeout=0.2)
        if not stop_requested.is_set():
            raise SupervisorError(next(process for process in running if process.exited.done()).exit_message())
    finally:
        await asyncio.gather(*(process.stop() for process in running))


async def _start(server: Server, logs: Path) -> _Process:
    path = logs / f"{server.name.replace(' ', '-').lower()}.log"
    with path.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *server.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **server.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )
    return _Process(server, process, path)


async def wait_until_ready(servers: list[Server]) -> None:
    """Return when all `servers` are ready. Raises SupervisorError when one is not ready in time."""
    async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
        await asyncio.gather(*(_wait_until_one_is_ready(http, server) for server in servers))


async def _wait_until_one_is_ready(http: httpx.AsyncClient, server: Server) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT):
            while True:
                try:
                    if (await http.get(server.ready_url)).status_code < 500:
                        return
                except httpx.TransportError:
                    pass  # it does not listen yet
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise SupervisorError(f"the {server.name} does not answer after {START_TIMEOUT:.0f} s") from None
