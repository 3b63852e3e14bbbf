"""One service as a process group that can be killed and started again on the same port."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

WAIT_TIMEOUT = 180.0
"""Seconds after which a scenario stops waiting and fails. On a busy machine a service needs more than 60 to start."""
ROOT = Path(__file__).parents[2]


class Service:
    """`python -m package …` on `port`; its stderr goes to `log`."""

    def __init__(self, package: str, arguments: Sequence[str], *, port: int, log: Path, skew: int = 0) -> None:
        """`skew`: seconds that the process's clock is ahead of the machine's."""
        self.package = package
        self.port = port
        self.log = log
        launcher = ("tests.reliability.launcher", "--skew", str(skew)) if skew else ()
        self._command = ["-m", *launcher, package, *arguments, "--port", str(port)]
        self._process: asyncio.subprocess.Process | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> float:
        """Return the seconds until it listens. Raises RuntimeError when it does not start."""
        begin = time.perf_counter()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._command,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                preexec_fn=os.setpgrp,  # a new group, and no new session, because niceness counts within a session only
            )
        assert self._process.stdout is not None
        line = b""
        with suppress(TimeoutError):
            line = await asyncio.wait_for(self._process.stdout.readline(), WAIT_TIMEOUT)
        if b"listens on" not in line:
            raise RuntimeError(f"{self.package} did not start; {self.log} says: {self.log.read_text()[-2000:]}")
        return time.perf_counter() - begin

    async def kill(self) -> None:
        """Send SIGKILL to the process and all its workers; return when all of them are gone."""
        if self._process is None:
            return
        processes = self.processes
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        async with asyncio.timeout(WAIT_TIMEOUT):
            while any(map(_is_alive, processes)):  # noqa: ASYNC110 - orphans send no event when they exit
                await asyncio.sleep(0.005)
        self._process = None

    @property
    def processes(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        try:
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    @property
    def resident_mb(self) -> float:
        """The sum over all its processes; shared pages count for each."""
        return float(sum(process.memory_info().rss for process in self.processes)) / 1e6

    @property
    def open_files(self) -> int:
        return sum(process.num_fds() for process in self.processes)

    def count_log_lines(self, *parts: str) -> int:
        """Count the lines that contain all `parts`."""
        return sum(all(part in line for part in parts) for line in self.log.read_text().splitlines())


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
