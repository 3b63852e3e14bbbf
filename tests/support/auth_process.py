"""The auth service as a group of processes, started by its command `serve`."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.forked import ForkedProcess
from tests.support.patience import PATIENCE
from tests.support.processes import ROOT, port_of


@contextmanager
def auth_process(config: Path, *options: str) -> Iterator[int]:
    """Run `serve` with these options. Yields the port that the system chose."""
    arguments = ["auth_service", "serve", "--config", str(config), "--port", "0", *options]
    # The log goes to a file: a pipe without a reader would fill, and then the service would wait for ever.
    with (
        config.with_suffix(".log").open("a") as log,
        ForkedProcess(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        try:
            yield port_of(process)
        finally:
            process.terminate()
            process.wait(PATIENCE)
