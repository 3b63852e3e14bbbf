"""The auth service as processes, started as the contract says."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.forked import ForkedProcess
from tests.support.patience import PATIENCE
from tests.support.processes import ROOT, port_of


@contextmanager
def auth_process(config: Path, *options: str) -> Iterator[int]:
    """`serve` with these options; the port that the system chose for it."""
    arguments = ["auth_service", "serve", "--config", str(config), "--port", "0", *options]
    # To a file: a pipe that nobody reads would fill, and then its writer waits for ever.
    with (
        config.with_suffix(".log").open("a") as log,
        ForkedProcess(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        try:
            yield port_of(process)
        finally:
            process.terminate()
            process.wait(PATIENCE)
