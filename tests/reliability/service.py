"""One of the two services as a group of processes, which can be killed without a word and started on the same port."""

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

PATIENCE = 60.0
"""Seconds after which a scenario would rather fail than hang."""
ROOT = Path(__file__).parents[2]


def skewed(module: str, seconds: int) -> tuple[str, ...]:
    """To start `module` by, with its clock so many seconds ahead of ours."""
    return ("tests.reliability.launch", "--skew", str(seconds), module)


class Service:
    """`python -m module …` on `port`. What it writes to stderr is in `log`."""

    def __init__(self, module: str, arguments: list[str], *, port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self._command = ["-m", module, *arguments, "--port", str(port)]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> float:
        """Return when it says that it listens: the seconds that this took. Raises RuntimeError when it does not."""
        begin = time.perf_counter()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._command,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                preexec_fn=os.setpgrp,  # to be killed as one; not a session, within which alone niceness would count
            )
        assert self._process.stdout is not None
        line = b""
        with suppress(TimeoutError):
            line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
        if b"listens on" not in line:
            raise RuntimeError(f"{self._command[1]} did not start; {self.log} says: {self.log.read_text()[-2000:]}")
        return time.perf_counter() - begin

    async def kill(self) -> None:
        """SIGKILL to the process and all its workers at once; return when the last of them is gone."""
        if self._process is None:
            return
        processes = self.processes
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        async with asyncio.timeout(PATIENCE):
            while any(map(_is_alive, processes)):  # noqa: ASYNC110 - orphans tell nobody when they die
                await asyncio.sleep(0.005)
        self._process = None

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self._process is None:
            return 0
        with suppress(ProcessLookupError):
            self._process.terminate()
        async with asyncio.timeout(PATIENCE):
            status = await self._process.wait()
        self._process = None
        return status

    @property
    def is_auth(self) -> bool:
        return "auth_service" in self._command

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
        """Of all its processes together; pages that they share count for each."""
        return float(sum(process.memory_info().rss for process in self.processes)) / 1e6

    def logged(self, *words: str) -> int:
        """In how many lines all these words stand."""
        return sum(all(word in line for word in words) for line in self.log.read_text().splitlines())


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
