"""Several worker processes on the same sockets, and a parent that supervises them.

Workers stay in the process group of the parent, end when it ends by any signal, and are replaced when they exit.
"""

import logging
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SHUTDOWN_TIMEOUT = 30.0
"""Seconds that workers have after SIGTERM; then they are killed."""

REPLACEMENT_INTERVAL = 1.0
"""Seconds between two replacements, so that workers that exit at their start do not keep the machine busy."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_PID = struct.Struct("=q")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """The connection of a worker process to its parent."""

    number: int
    """From 0. A replacement has the number of the worker it replaces."""
    parent: int
    """A file descriptor that becomes readable when the parent process has ended."""
    _ready_pipe: int

    def ready(self) -> None:
        """Tell the parent that this worker accepts connections."""
        os.write(self._ready_pipe, _PID.pack(os.getpid()))


def supervise(
    run: Callable[[Worker], int], count: int, on_ready: Callable[[], None], on_exit: Callable[[int], None]
) -> int:
    """Keep `count` worker processes running. Each exits with the status that `run(worker)` returns.

    `on_ready` is called when all accept connections for the first time, `on_exit` with the number of each worker that
    has exited.

    Returns after SIGTERM or SIGINT when all workers have exited: 0, or 1 if one had to be killed. When a worker exits
    before all accept connections for the first time, the others are stopped and its status is returned, because a
    replacement would fail, too.
    """
    return _Supervisor(run, count, on_ready, on_exit).run()


class _Supervisor:
    def __init__(
        self, run: Callable[[Worker], int], count: int, on_ready: Callable[[], None], on_exit: Callable[[int], None]
    ) -> None:
        self._run_worker = run
        self._count = count
        self._on_ready = on_ready
        self._on_exit = on_exit
        self._numbers: dict[int, int] = {}
        """The number of each running worker, by its pid."""
        self._ready: set[int] = set()
        self._status = 0
        self._stopping_since: float | None = None
        self._next_replacement = 0.0
        self._is_announced = False
        # The parent keeps the writing end and writes nothing. When it exits, the workers read the end of the file.
        self._parent_read, self._parent_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        self._signal_read, self._signal_write = os.pipe()
        os.set_blocking(self._signal_write, False)

    def run(self) -> int:
        with self._signals_to_pipe():
            for _ in range(self._count):
                self._start_one()
            while self._numbers or self._stopping_since is None:
                readable, _, _ = select.select([self._ready_read, self._signal_read], [], [], 1.0)
                if self._ready_read in readable:
                    self._read_ready()
                if self._signal_read in readable:
                    self._read_signals()
                self._reap_exited()
                self._start_replacement()
                self._kill_after_timeout()
        return self._status

    @contextmanager
    def _signals_to_pipe(self) -> Iterator[None]:
        before = {number: signal.signal(number, _ignore) for number in _SIGNALS}
        signal.set_wakeup_fd(self._signal_write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start_one(self) -> None:
        # The child must not receive a signal while it still has the parent's handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        number = min(set(range(self._count)) - set(self._numbers.values()))
        pid = os.fork()
        if pid == 0:
            self._become_worker(number)
        self._numbers[pid] = number
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _become_worker(self, number: int) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for signal_number in _SIGNALS:
                signal.signal(signal_number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for descriptor in (self._parent_write, self._ready_read, self._signal_read, self._signal_write):
                os.close(descriptor)
            status = self._run_worker(Worker(number, self._parent_read, self._ready_write))
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:
            logger.critical("a worker process failed", exc_info=True)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _read_ready(self) -> None:
        (pid,) = _PID.unpack(os.read(self._ready_read, _PID.size))
        self._ready.add(pid)
        if not self._is_announced and self._numbers.keys() <= self._ready:
            self._is_announced = True
            self._on_ready()

    def _read_signals(self) -> None:
        numbers = os.read(self._signal_read, 64)
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._stop()

    def _stop(self) -> None:
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            for pid in self._numbers:
                os.kill(pid, signal.SIGTERM)

    def _reap_exited(self) -> None:
        for pid in list(self._numbers):
            exited, wait_status = os.waitpid(pid, os.WNOHANG)
            if not exited:
                continue
            self._on_exit(self._numbers.pop(pid))
            self._ready.discard(pid)
            if self._stopping_since is not None:
                continue
            status = os.waitstatus_to_exitcode(wait_status)
            if self._is_announced:
                logger.error("process %d ended with status %d and is replaced", pid, status)
            else:
                self._status = status if status > 0 else 1
                self._stop()

    def _start_replacement(self) -> None:
        is_missing_one = self._stopping_since is None and len(self._numbers) < self._count
        if is_missing_one and time.monotonic() >= self._next_replacement:
            self._next_replacement = time.monotonic() + REPLACEMENT_INTERVAL
            self._start_one()

    def _kill_after_timeout(self) -> None:
        if self._stopping_since is not None and time.monotonic() > self._stopping_since + SHUTDOWN_TIMEOUT:
            self._status = self._status or 1
            for pid in self._numbers:
                os.kill(pid, signal.SIGKILL)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """set_wakeup_fd() needs a handler for each signal."""
