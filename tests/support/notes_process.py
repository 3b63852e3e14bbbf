"""The notes API as a process, for tests that need one. Its issuer is unreachable, so it reads the keys from a file."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.clock import MovableClock
from tests.support.forked import ForkedProcess
from tests.support.token_issuer import TokenIssuer

AUDIENCE = "http://localhost:8001"
ISSUER = "http://localhost:1"  # no server listens there


class NotesProcess:
    """`url` is the origin at which it listens."""

    def __init__(self, process: subprocess.Popen[str], url: str, issuer: TokenIssuer) -> None:
        self.process = process
        self.url = url
        self._issuer = issuer

    def access_token(self, **changes: object) -> str:
        good: dict[str, object] = {"iss": ISSUER, "aud": AUDIENCE, "scope": "notes:read notes:write"}
        return self._issuer.access_token(**good | changes)


@contextmanager
def notes_process(folder: Path, *options: str) -> Iterator[NotesProcess]:
    """Run `serve` with these options during the block, on a port that the system chooses."""
    issuer = TokenIssuer(MovableClock(int(time.time())))
    (folder / "jwks.json").write_bytes(issuer.document)
    config = folder / "resource.toml"
    config.write_text(
        f'audience = "{AUDIENCE}"\nissuer = "{ISSUER}"\n'
        f'jwks_file = "{folder}/jwks.json"\ndatabase_url = "sqlite:///{folder}/notes.db"\n'
    )
    arguments = ["resource_service", "serve", "--config", str(config), "--port", "0", *options]
    with (
        (folder / "log").open("w") as log,
        ForkedProcess(arguments, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("notes API listens on http://"), (folder / "log").read_text()
            yield NotesProcess(process, line.split()[-1], issuer)
        finally:
            process.terminate()
