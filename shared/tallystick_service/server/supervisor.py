"""Several worker processes on the same sockets, and a parent that supervises them.

Workers stay in the process group of the parent, end when it ends by any signal, and are replaced when they exit, when
their event loop hangs, and one after the other when the parent receives SIGHUP (ADR 52).
"""

import logging
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from tallystick_service.server.controlling_terminal import ControllingTerminal
from tallystick_service.server.hang_detector import HangDetector
from tallystick_service.server.limits import ServerLimits
from tallystick_service.server.worker import PID, Heartbeats, Run, Worker
from tallystick_service.server.worker_process import WorkerProcess, become_worker

SHUTDOWN_TIMEOUT = 30.0
"""Seconds that a worker has after SIGTERM; then it is killed."""

REPLACEMENT_INTERVAL = 1.0
"""Seconds between two replacements, so that workers that exit at their start do not keep the machine busy."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)

logger = logging.getLogger(__name__)


def supervise(
    run: Run,
    count: int,
    *,
    on_ready: Callable[[], None],
    on_exit: Callable[[int], None],
    reload: Callable[[], Run | None],
    limits: ServerLimits,
) -> int:
    """Keep `count` worker processes running. Each exits with the status that `run(worker)` returns.

    `on_ready` is called when all accept connections for the first time, `on_exit` with the number of each worker that
    has exited. The numbers are from 0 to `count`, because a reload runs one process more. `reload` is called after
    SIGHUP and returns the function that the new workers run, or None if the old workers are kept.

    Returns after SIGTERM or SIGINT when all workers have exited: 0, or 1 if one had to be killed. When a worker exits
    before all accept connections for the first time, the others are stopped and its status is returned, because a
    replacement would fail, too.
    """
    return _Supervisor(run, count, on_ready, on_exit, reload, limits).run()


@dataclass(frozen=True, eq=False)
class _Reload:
    """Until it ends, every worker that was not started during it is replaced. The new ones run `run`."""

    run: Run


class _Supervisor:
    def __init__(
        self,
        run: Run,
        count: int,
        on_ready: Callable[[], None],
        on_exit: Callable[[int], None],
        read_reload: Callable[[], Run | None],
        limits: ServerLimits,
    ) -> None:
        self._run_worker = run
        self._count = count
        self._on_ready = on_ready
        self._on_exit = on_exit
        self._read_reload = read_reload
        self._limits = limits
        self._processes: dict[int, WorkerProcess] = {}
        """The running worker processes by their pids: `count`, and one more while a reload replaces one."""
        self._reload: _Reload | None = None
        self._is_reload_requested = False
        self._heartbeats = Heartbeats(count + 1)
        self._hang_detector = HangDetector(limits.hang_timeout)
        self._terminal = ControllingTerminal()
        self._status = 0
        self._is_stopping = False
        self._next_replacement = 0.0
        self._is_announced = False
        # The parent keeps the writing end and writes nothing. When it exits, the workers read the end of the file.
        self._parent_read, self._parent_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        self._signal_read, self._signal_write = os.pipe()
        self._parents_files = (self._parent_write, self._ready_read, self._signal_read, self._signal_write)
        os.set_blocking(self._signal_write, False)

    def run(self) -> int:
        with self._signals_to_pipe():
            for _ in range(self._count):
                self._start_one()
            while self._processes or not self._is_stopping:
                readable, _, _ = select.select([self._ready_read, self._signal_read], [], [], 1.0)
                if self._ready_read in readable:
                    self._read_ready()
                if self._signal_read in readable:
                    self._read_signals()
                self._reap_exited()
                self._kill_late()
                if not self._is_stopping:
                    self._kill_hung()
                    self._begin_reload()
                    self._start_or_stop_one()
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

    # Events

    def _read_ready(self) -> None:
        (pid,) = PID.unpack(os.read(self._ready_read, PID.size))
        process = self._processes.get(pid)
        if process is None:
            return
        process.is_ready = True
        if self._reload is not None and process.reload is self._reload:
            self._run_worker = self._reload.run  # it works, so that later replacements use it, too
        if not self._is_announced and all(process.is_ready for process in self._processes.values()):
            self._is_announced = True
            self._on_ready()

    def _read_signals(self) -> None:
        numbers = os.read(self._signal_read, 64)
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._stop()
        elif signal.SIGHUP in numbers:
            if self._terminal.is_closed():
                self._stop()
            else:
                self._is_reload_requested = True

    def _stop(self) -> None:
        self._is_stopping = True
        for process in self._processes.values():
            process.terminate()

    def _reap_exited(self) -> None:
        for process in list(self._processes.values()):
            exited, wait_status = os.waitpid(process.pid, os.WNOHANG)
            if not exited:
                continue
            del self._processes[process.pid]
            self._on_exit(process.number)
            status = os.waitstatus_to_exitcode(wait_status)
            if process.stopping_since is not None:
                continue
            if not self._is_announced:
                self._status = status if status > 0 else 1
                self._stop()
            elif self._is_new(process):
                self._abort_reload(f"process {process.pid} ended with status {status} before it accepted connections")
            else:
                logger.error("process %d ended with status %d and is replaced", process.pid, status)

    def _kill_late(self) -> None:
        """Kill those that have not ended or started in time."""
        now = time.monotonic()
        for process in self._processes.values():
            if process.is_killed:
                continue
            if process.stopping_since is not None:
                if now > process.stopping_since + SHUTDOWN_TIMEOUT:
                    process.kill()
                    if self._is_stopping:
                        self._status = self._status or 1
                    logger.error("process %d did not end within %g s and is killed", process.pid, SHUTDOWN_TIMEOUT)
            elif self._is_announced and not process.is_ready:
                timeout = self._limits.start_timeout
                if now > process.started_at + timeout:
                    is_new = self._is_new(process)
                    process.kill()
                    reason = f"process {process.pid} did not accept connections within {timeout:g} s"
                    if is_new:
                        self._abort_reload(reason)
                    else:
                        logger.error("%s; it is killed and replaced", reason)

    def _kill_hung(self) -> None:
        observed = [process for process in self._staying() if process.is_ready]
        beats = {process.pid: self._heartbeats.count(process.number) for process in observed}
        for pid in self._hang_detector.hung(beats, time.monotonic()):
            # SIGTERM would change nothing: its handler stops the server through the event loop.
            self._processes[pid].kill()
            logger.error(
                "process %d hangs: its event loop did not run for %g s; it is killed and replaced",
                pid,
                self._limits.hang_timeout,
            )

    # Reload

    def _begin_reload(self) -> None:
        if not self._is_reload_requested or self._reload is not None or not self._is_announced:
            return
        self._is_reload_requested = False
        logger.info("reloading: the workers are replaced one after the other")
        run = self._read_reload()
        if run is not None:
            self._reload = _Reload(run)

    def _abort_reload(self, reason: str) -> None:
        self._reload = None
        logger.error("the reload is aborted and the old workers stay: %s", reason)

    def _is_new(self, process: WorkerProcess) -> bool:
        """Whether its failure aborts the reload."""
        return self._reload is not None and process.reload is self._reload and not process.is_ready

    # Workers

    def _staying(self) -> list[WorkerProcess]:
        return [process for process in self._processes.values() if process.stopping_since is None]

    def _start_or_stop_one(self) -> None:
        """Come one step closer to `count` workers, none of which is outdated."""
        staying = self._staying()
        outdated = [process for process in staying if self._reload not in (None, process.reload)]
        if len(staying) < self._count:
            if len(self._processes) <= self._count and time.monotonic() >= self._next_replacement:
                self._next_replacement = time.monotonic() + REPLACEMENT_INTERVAL
                self._start_one()
        elif sum(process.is_ready for process in staying) > self._count:
            (outdated or staying)[0].terminate()
        elif outdated:
            if len(self._processes) == self._count:
                self._start_one()
        elif self._reload is not None:
            self._reload = None
            logger.info("reloaded")

    def _start_one(self) -> None:
        number = min(set(range(self._count + 1)) - {process.number for process in self._processes.values()})
        run, is_first = self._run_worker, False
        if self._reload is not None:
            run = self._reload.run
            is_first = not any(process.reload is self._reload for process in self._processes.values())
        worker = Worker(number, is_first, self._parent_read, self._ready_write, self._heartbeats)
        # The child must not receive a signal while it still has the parent's handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            become_worker(run, worker, signals=_SIGNALS, parents_files=self._parents_files)
        self._processes[pid] = WorkerProcess(pid, number, self._reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """set_wakeup_fd() needs a handler for each signal."""
