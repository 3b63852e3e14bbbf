"""A worker whose event loop does not run is killed and replaced."""

import os
import signal
import urllib.request
from pathlib import Path

from tests.support.patience import PATIENCE
from tests.support.processes import port_of, running
from tests.support.waiting import wait_until
from tests.support.workers import ask, workers_of


def test_blocked_and_stopped_workers_are_replaced_with_one_error_line_each(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        log.open("w") as errors,
        running("tests.support.small_server", "0", "2", "", "5", stderr=errors.fileno()) as process,
    ):
        port = port_of(process)
        first = workers_of(process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/block", timeout=PATIENCE) as response:
            blocked = int(response.read())
        (stopped,) = first - {blocked}
        os.kill(stopped, signal.SIGSTOP)
        wait_until(lambda: len(workers_of(process) - first) == 2)
        assert ask(port)["pid"] not in first
        lines = log.read_text().splitlines()
        for pid in first:
            (line,) = (line for line in lines if f"process {pid} " in line)
            assert f"process {pid} hangs" in line
            assert '"level": "error"' in line
        process.terminate()
        assert process.wait(PATIENCE) == 0
