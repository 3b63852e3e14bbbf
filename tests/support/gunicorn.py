"""A WSGI server as a process."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.forked import ForkedProcess
from tests.support.patience import PATIENCE
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_LISTENS = re.compile(r"Listening at: (http://\S+)")


@contextmanager
def gunicorn(module: str, *options: str, log: Path, **environment: str) -> Iterator[str]:
    """Run `python -m module`, which starts gunicorn, during the block. Yields the URL at which it listens."""
    with start(module, "--bind", "127.0.0.1:0", *options, log=log, environment=environment) as process:
        try:
            wait_until(lambda: process.poll() is not None or _LISTENS.search(log.read_text()) is not None)
            listens = _LISTENS.search(log.read_text())
            assert listens is not None, log.read_text()
            yield listens[1]
        finally:
            process.terminate()
            process.wait(PATIENCE)


def start(module: str, *options: str, log: Path, environment: dict[str, str]) -> ForkedProcess:
    with log.open("w") as output:
        return ForkedProcess([module, *options], cwd=ROOT, env=os.environ | environment, stdout=output, stderr=output)
