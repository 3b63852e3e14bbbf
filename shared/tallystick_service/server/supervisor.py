"""Several processes on the same sockets, and one that watches over them.

They stay in the process group of the one that was started, end when it ends (by whatever signal), and are replaced
when they die.
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

PATIENCE = 30.0
"""Seconds that the processes have for ending after they were asked; then they are killed."""

REPLACEMENT_SECONDS = 1.0
"""From one replacement to the next, so that processes that die young do not keep the machine busy being born."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_PID = struct.Struct("=q")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """What a working process knows of its parent."""

    number: int
    """From 0; the one that replaces it has the same."""
    life: int
    """A file descriptor that becomes readable, at its end, when the parent is gone."""
    _news: int

    def ready(self) -> None:
        """Tell the parent that connections are accepted."""
        os.write(self._news, _PID.pack(os.getpid()))


def supervise(
    run: Callable[[Worker], int], count: int, on_ready: Callable[[], None], on_death: Callable[[int], None]
) -> int:
    """Keep `count` processes alive; each exits with what `run(worker)` returns. `on_ready` is called once all serve,
    `on_death` with the number of each that has ended.

    Returns when all have ended after SIGTERM or SIGINT (0, or 1 if one had to be killed), or when one ended before all
    served for the first time, with its status: another would fare no better.
    """
    return _Supervisor(run, count, on_ready, on_death).run()


class _Supervisor:
    def __init__(
        self, run: Callable[[Worker], int], count: int, on_ready: Callable[[], None], on_death: Callable[[int], None]
    ) -> None:
        self._run_worker = run
        self._count = count
        self._on_ready = on_ready
        self._on_death = on_death
        self._living: dict[int, int] = {}
        """The number of each, by its pid."""
        self._ready: set[int] = set()
        self._status = 0
        self._stopping_since: float | None = None
        self._next_replacement = 0.0
        self._is_announced = False
        self._life, self._hold = os.pipe()  # nobody writes; the children see its end when we are gone
        self._news, self._tell = os.pipe()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def run(self) -> int:
        with self._signals_to_pipe():
            for _ in range(self._count):
                self._start_one()
            while self._living or self._stopping_since is None:
                readable, _, _ = select.select([self._news, self._woken], [], [], 1.0)
                if self._news in readable:
                    self._hear_news()
                if self._woken in readable:
                    self._hear_signals()
                self._bury_the_dead()
                self._replace()
                self._lose_patience()
        return self._status

    @contextmanager
    def _signals_to_pipe(self) -> Iterator[None]:
        before = {number: signal.signal(number, _ignore) for number in _SIGNALS}
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start_one(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # none may reach the child while it still has our handlers
        number = min(set(range(self._count)) - set(self._living.values()))
        pid = os.fork()
        if pid == 0:
            self._become_worker(number)
        self._living[pid] = number
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _become_worker(self, number: int) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for signal_number in _SIGNALS:
                signal.signal(signal_number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for descriptor in (self._hold, self._news, self._woken, self._wake):
                os.close(descriptor)
            status = self._run_worker(Worker(number, self._life, self._tell))
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:
            logger.critical("a process broke down", exc_info=True)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _hear_news(self) -> None:
        (pid,) = _PID.unpack(os.read(self._news, _PID.size))
        self._ready.add(pid)
        if not self._is_announced and self._living.keys() <= self._ready:
            self._is_announced = True
            self._on_ready()

    def _hear_signals(self) -> None:
        numbers = os.read(self._woken, 64)
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._stop()

    def _stop(self) -> None:
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            for pid in self._living:
                os.kill(pid, signal.SIGTERM)

    def _bury_the_dead(self) -> None:
        for pid in list(self._living):
            dead, wait_status = os.waitpid(pid, os.WNOHANG)
            if not dead:
                continue
            self._on_death(self._living.pop(pid))
            self._ready.discard(pid)
            if self._stopping_since is not None:
                continue
            status = os.waitstatus_to_exitcode(wait_status)
            if self._is_announced:
                logger.error("process %d ended with status %d and is replaced", pid, status)
            else:
                self._status = status if status > 0 else 1
                self._stop()

    def _replace(self) -> None:
        is_short = self._stopping_since is None and len(self._living) < self._count
        if is_short and time.monotonic() >= self._next_replacement:
            self._next_replacement = time.monotonic() + REPLACEMENT_SECONDS
            self._start_one()

    def _lose_patience(self) -> None:
        if self._stopping_since is not None and time.monotonic() > self._stopping_since + PATIENCE:
            self._status = self._status or 1
            for pid in self._living:
                os.kill(pid, signal.SIGKILL)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """A handler must be there for the wake-up descriptor to be told."""
