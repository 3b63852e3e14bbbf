"""Run `python -m MODULE` as a fork of a process that has imported both services already.

A new interpreter spends a second of CPU time on these imports. multiprocessing's fork server has one thread and no
event loop, connection or open file of ours, so each fork begins like a new interpreter. The real `python -m` is what
`make run` and `make front` start (tests/browser, tests/foreign) and what the commands of README.md are.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from typing import Any, Self

PRELOADED = (
    "auth_service.__main__",
    "auth_service.main",
    "resource_service.__main__",
    "tallystick_service.store.migrations",
    "uvicorn",
    "uvloop",
)

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(list(PRELOADED))


class ForkedProcess(subprocess.Popen[str]):
    """`python -m arguments[0] arguments[1:]`, used like any other Popen in text mode."""

    _process: BaseProcess

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        super().__init__(arguments, text=True, **options)

    def _execute_child(self, args: Sequence[str], *options: Any) -> None:
        """Popen's hook to start the child: the parameters are those of CPython 3.11 to 3.14."""
        cwd, env = options[4], options[5]
        pipes = options[9:15]
        stdin, _, _, stdout, _, stderr = pipes
        start_new_session, process_group = options[20], options[21]
        descriptors = [own if fd == -1 else fd for own, fd in enumerate((stdin, stdout, stderr))]
        try:
            self._process = context.Process(
                target=_run_module,
                args=(list(args), cwd, dict(os.environ if env is None else env)),
                kwargs={
                    "descriptors": [_Descriptor(fd) for fd in descriptors],
                    "is_session": start_new_session,
                    "process_group": process_group,
                },
            )
            self._process.start()
            assert self._process.pid is not None
            self.pid = self._process.pid
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _internal_poll(self, **_: Any) -> int | None:
        if self.returncode is None:
            self.returncode = self._process.exitcode
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None:
            self._process.join(timeout)
            self.returncode = self._process.exitcode
        if self.returncode is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def __enter__(self) -> Self:
        return self


class _Descriptor:
    """A file descriptor that arrives in the child as an int."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _detach, (DupFd(self._descriptor),)


def _detach(duplicate: Any) -> int:
    descriptor: int = duplicate.detach()
    return descriptor


def _run_module(
    arguments: list[str],
    folder: str | None,
    environment: Mapping[str, str],
    *,
    descriptors: list[int],
    is_session: bool,
    process_group: int,
) -> None:
    """Runs in the child. An exception becomes the exit status, as in `python -m`."""
    if is_session:
        os.setsid()
    elif process_group >= 0:
        os.setpgid(0, process_group)
    for standard, descriptor in enumerate(descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    # As Python opens them at its start.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    if folder is not None:
        os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.modules.pop(f"{arguments[0]}.__main__", None)  # imported to preload what it imports; runpy would warn of it
    sys.argv = list(arguments)
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    except Exception:
        sys.excepthook(*sys.exc_info())
        raise SystemExit(1) from None
