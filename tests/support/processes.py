"""Our programs, started by their command lines."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.support.forked import ForkedProcess

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def running(module: str, *arguments: str, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """`python -m module …` in a process group of its own, which is killed at the end.

    A process that logs more than a pipe can hold (64 kB) blocks until the pipe is read: pass DEVNULL for `stderr`.
    """
    process = ForkedProcess(
        [module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextmanager
def in_the_foreground(module: str, *options: str, **environment: str) -> Iterator[None]:
    """Run a supervisor of `deploy` during the block; it must stop with status 0. `environment` is added to ours."""
    command = [sys.executable, "-m", module, *options]
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )
        stack.callback(process.send_signal, signal.SIGINT)
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C stops it" in line:
                break
        else:
            raise AssertionError("".join(said))
        yield
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def port_of(process: subprocess.Popen[str]) -> int:
    """The port in the line that a server prints once it accepts connections."""
    assert process.stdout is not None
    return int(process.stdout.readline().rsplit(":", 1)[1])
