"""A site of the pair's own: a store, its configuration, and the services on it as real processes."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psycopg

from bench.processes import free_port
from tests.reliability.declared import APP, AUDIENCE, PEOPLE, SCOPE, declared
from tests.reliability.person import Person
from tests.reliability.service import ROOT, Service
from tests.reliability.wire import PATIENCE, Wire
from tests.support.declared import toml_value
from tests.support.postgres import PostgreSQL


class Site:
    """`folder` holds all files. The issuer's name has `port`, on which the first auth service listens; others, on ports
    of their own, go by the same name."""

    def __init__(self, folder: Path, database_url: str, postgresql: PostgreSQL | None) -> None:
        self.folder = folder
        self.database_url = database_url
        self.postgresql = postgresql
        self.port = free_port()
        self._services: list[Service] = []
        self._wires: list[Wire] = []
        self.write_config()

    @property
    def engine(self) -> str:
        return "sqlite" if self.postgresql is None else "postgresql"

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "tallystick.toml"

    def write_config(self, **changes: object) -> None:
        known = declared(issuer=self.issuer, database_url=self.database_url, folder=self.folder) | changes
        self.config.write_text("\n".join(f"{key} = {toml_value(value)}" for key, value in known.items()))

    def auth_service(
        self, *options: str, port: int | None = None, module: tuple[str, ...] = ("auth_service",)
    ) -> Service:
        """Not started yet. `module` may be a launcher, with what it wants before `serve`."""
        arguments = [*module[1:], "serve", "--config", str(self.config), *options]
        return self._added(Service(module[0], arguments, port=port or self.port, log=self.folder / "auth_service.log"))

    def resource_service(
        self,
        *options: str,
        issuer: str | None = None,
        jwks_uri: str | None = None,
        module: tuple[str, ...] = ("resource_service",),
    ) -> Service:
        """An API with a database, a file of keys and one of status lists of its own. Not started yet."""
        name = f"notes-{len(self._services)}"
        settings = {
            "audience": AUDIENCE,
            "issuer": issuer or self.issuer,
            "jwks_file": str(self.folder / f"{name}.jwks.json"),
            "status_file": str(self.folder / f"{name}.status-lists.json"),
            "database_url": f"sqlite:///{self.folder}/{name}.db",
        }
        if jwks_uri is not None:
            settings["jwks_uri"] = jwks_uri
        config = self.folder / f"{name}.toml"
        config.write_text("\n".join(f"{key} = {toml_value(value)}" for key, value in settings.items()))
        arguments = [*module[1:], "serve", "--config", str(config), *options]
        return self._added(Service(module[0], arguments, port=free_port(), log=self.folder / f"{name}.log"))

    async def command(self, *words: str, typed: str = "") -> str:
        """What a command of the auth service says, in a process of its own. Raises RuntimeError when it fails."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "auth_service", *words, "--config", str(self.config)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate(typed.encode())
        if process.returncode:
            raise RuntimeError(errors.decode())
        return output.decode()

    def logs(self) -> str:
        """The last warnings of each service, for when something did not hold."""
        told = ""
        for file in self.folder.glob("*.log"):
            lines = [line for line in file.read_text().splitlines() if '"level": "info"' not in line]
            told += "\n".join([f"{file.name}:", *lines[-40:], ""])
        return told

    def _added(self, service: Service) -> Service:
        self._services.append(service)
        return service

    def wire(self, port: int | None = None, *, patience: float = PATIENCE) -> Wire:
        wire = Wire(port or self.port, patience=patience)
        self._wires.append(wire)
        return wire

    def person(
        self, email: str = PEOPLE[0], *, port: int | None = None, client_id: str = APP, scope: str = SCOPE
    ) -> Person:
        """Somebody who has not signed in yet, and calls the process on `port`."""
        return Person(self.wire(port), self.issuer, email, client_id=client_id, scope=scope)

    async def close(self) -> None:
        for wire in self._wires:
            wire.close()
        await asyncio.gather(*(service.kill() for service in self._services))


@asynccontextmanager
async def site(engine: str, *, postgresql: PostgreSQL | None = None) -> AsyncIterator[Site]:
    """An empty site on `sqlite` or `postgresql`, and nothing left of it afterwards.

    `postgresql` is a running server to make a database in. Without one the site has its own, which may be killed.
    """
    folder = Path(tempfile.mkdtemp(prefix="tallystick-"))  # a short path: a socket's name may have 107 bytes
    folder.chmod(0o755)  # noqa: ASYNC240 - one call, before anything runs
    own: PostgreSQL | None = None
    try:
        if engine == "sqlite":
            made = Site(folder, f"sqlite:///{folder}/auth.db", None)
        else:
            if postgresql is None:
                own = postgresql = await asyncio.to_thread(
                    partial(PostgreSQL, folder, fsync="on", full_page_writes="on")
                )
                await asyncio.to_thread(own.start)
            made = Site(folder, await asyncio.to_thread(_new_database, postgresql, folder.name), postgresql)
        try:
            yield made
        finally:
            await made.close()
    finally:
        if own is not None:
            await asyncio.to_thread(own.stop)
        shutil.rmtree(folder, ignore_errors=True)


def _new_database(postgresql: PostgreSQL, name: str) -> str:
    with psycopg.connect(postgresql.url("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return postgresql.url(name)
