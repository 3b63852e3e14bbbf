"""A worker process, as its parent sees it, and its first steps after the fork."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from tallystick_service.server.worker import Run, Worker

logger = logging.getLogger(__name__)


@dataclass
class WorkerProcess:
    """Times are monotonic."""

    pid: int
    number: int
    reload: object
    """The reload during which it was started, or None."""
    started_at: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    stopping_since: float | None = None
    """Since the parent sent it SIGTERM or SIGKILL."""
    is_killed: bool = False

    def terminate(self) -> None:
        if self.stopping_since is None:
            self.stopping_since = time.monotonic()
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        if self.stopping_since is None:
            self.stopping_since = time.monotonic()
        self.is_killed = True
        os.kill(self.pid, signal.SIGKILL)


def become_worker(
    run: Run, worker: Worker, *, signals: Iterable[signal.Signals], parents_files: Iterable[int]
) -> NoReturn:
    """Call `run` in the child after a fork, and exit with its status. Closes `parents_files`.

    `signals` are blocked when this is called, and have the parent's handlers. They get their default actions; SIGHUP
    is ignored.
    """
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in signals:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it may be sent to the whole group; the parent handles it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        for descriptor in parents_files:
            os.close(descriptor)
        status = run(worker)
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        logger.critical("a worker process failed", exc_info=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
