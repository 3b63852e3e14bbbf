"""A complete deployment: a store, its configuration, and the services on it as real processes."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from tests.reliability.configuration import APP, AUDIENCE, EMAILS, SCOPE, auth_configuration
from tests.reliability.raw_http import RESPONSE_TIMEOUT, RawHTTPClient
from tests.reliability.service import ROOT, Service
from tests.reliability.user_agent import UserAgent
from tests.support.declared import toml_value
from tests.support.ports import free_port
from tests.support.postgres import PostgreSQL

AUTH_SKEWS, API_SKEWS = (0, 30), (0, -25)
"""Seconds that the clocks of replicas are ahead of the machine's."""


@dataclass(frozen=True)
class Replicas:
    """Two processes of the auth service on one store, and two APIs, each of which fetches its keys from another one."""

    auths: list[Service]
    apis: list[Service]


class Deployment:
    """`folder` holds all files. The issuer's URL has `port`, where the first process of the auth service listens; the
    others have ports of their own and the same issuer.
    """

    def __init__(self, folder: Path, database_url: str, postgresql: PostgreSQL | None) -> None:
        self.folder = folder
        self.database_url = database_url
        self.postgresql = postgresql
        self.port = free_port()
        self._auths: list[Service] = []
        self._apis: list[Service] = []
        self._workers = 1
        self._replicas: tuple[Replicas, dict[str, int]] | None = None
        self._services: list[Service] = []
        self._clients: list[RawHTTPClient] = []
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
        values = auth_configuration(issuer=self.issuer, database_url=self.database_url, folder=self.folder) | changes
        _write_toml(self.config, values)

    # Services that are running, and may have served an earlier scenario

    async def run_auth_services(self, count: int = 1, *, workers: int = 1) -> list[Service]:
        """Let exactly `count` processes of the auth service run, the first of them with `workers`."""
        if workers != self._workers:
            self._workers = workers
            await self.kill_auth_services()
            self._auths = self._auths[1:]
            self._auths.insert(0, self.new_auth_service("--workers", str(workers)))
        while len(self._auths) < count:
            self._auths.append(self.new_auth_service(port=free_port() if self._auths else None))
        for surplus in self._auths[count:]:
            await surplus.kill()
        for service in self._auths[:count]:
            if not service.is_running:
                await service.start()
        return self._auths[:count]

    async def kill_auth_services(self) -> None:
        for service in self._auths:
            await service.kill()

    async def run_apis(self, count: int = 1) -> list[Service]:
        """Let at least `count` APIs run; return the first of them."""
        while len(self._apis) < count:
            self._apis.append(self.new_api())
        for service in self._apis[:count]:
            if not service.is_running:
                await service.start()
        return self._apis[:count]

    async def run_replicas(self, **lifetimes: int) -> Replicas:
        """Run replicas whose clocks differ. Other `lifetimes` than before restart the auth service."""
        if self._replicas is None:
            auths = [
                self.new_auth_service(port=port, skew=skew)
                for port, skew in zip((self.port, free_port()), AUTH_SKEWS, strict=True)
            ]
            apis = [
                self.new_api(jwks_uri=f"http://localhost:{auth.port}/jwks", skew=skew)
                for auth, skew in zip(auths, API_SKEWS, strict=True)
            ]
            replicas = Replicas(auths, apis)
        else:
            replicas, before = self._replicas
            if before == lifetimes:
                return replicas
        for service in replicas.auths:
            await service.kill()
        # The checks are about keys: a disk that is slow for two seconds must not count.
        self.write_config(lifetimes=lifetimes, database_timeout=10)
        for service in (*replicas.auths, *replicas.apis):
            if not service.is_running:
                await service.start()
        self._replicas = replicas, lifetimes
        return replicas

    # Services that the caller starts

    def new_auth_service(self, *options: str, port: int | None = None, skew: int = 0) -> Service:
        arguments = ["serve", "--config", str(self.config), *options]
        log = self.folder / "auth_service.log"
        return self._register(Service("auth_service", arguments, port=port or self.port, log=log, skew=skew))

    def new_api(
        self,
        *,
        issuer: str | None = None,
        jwks_uri: str | None = None,
        skew: int = 0,
        fetch_interval: float | None = None,
    ) -> Service:
        """An API with its own database, key file and status list file.

        `fetch_interval`: seconds between two fetches of each document of the issuer, None for the API's own interval.
        """
        name = f"api-{len(self._services)}"
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
        _write_toml(config, settings)
        package, arguments = "resource_service", ["serve", "--config", str(config)]
        if fetch_interval is not None:
            package, arguments = "tests.reliability.eager_api", [str(config), str(fetch_interval)]
        log = self.folder / f"{name}.log"
        return self._register(Service(package, arguments, port=free_port(), log=log, skew=skew))

    def _register(self, service: Service) -> Service:
        self._services.append(service)
        return service

    async def command(self, *words: str, stdin: str = "") -> str:
        """Run a command of the auth service; return its output. Raises RuntimeError when it fails."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "auth_service", *words, "--config", str(self.config)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate(stdin.encode())
        if process.returncode:
            raise RuntimeError(errors.decode())
        return output.decode()

    def logs(self) -> str:
        """Return the last 40 warnings and errors of each service."""
        text = ""
        for file in self.folder.glob("*.log"):
            lines = [line for line in file.read_text().splitlines() if '"level": "info"' not in line]
            text += "\n".join([f"{file.name}:", *lines[-40:], ""])
        return text

    def client(self, port: int | None = None, *, timeout: float = RESPONSE_TIMEOUT) -> RawHTTPClient:
        client = RawHTTPClient(port or self.port, timeout=timeout)
        self._clients.append(client)
        return client

    def user_agent(
        self, email: str = EMAILS[0], *, port: int | None = None, client_id: str = APP, scope: str = SCOPE
    ) -> UserAgent:
        """A browser without cookies, connected to the auth service on `port`."""
        return UserAgent(self.client(port), self.issuer, email, client_id=client_id, scope=scope)

    async def close(self) -> None:
        for client in self._clients:
            client.close()
        await asyncio.gather(*(service.kill() for service in self._services))


@asynccontextmanager
async def running_deployment(engine: str, *, postgresql: PostgreSQL | None = None) -> AsyncIterator[Deployment]:
    """An empty deployment on `sqlite` or `postgresql`; its files and processes are removed at the end.

    `postgresql` is a running server for the database. Without it the deployment has its own server, which a scenario
    may kill.
    """
    folder = Path(tempfile.mkdtemp(prefix="tallystick-"))  # a short path: the path of a socket has at most 107 bytes
    folder.chmod(0o755)  # noqa: ASYNC240 - one call, before anything runs
    own: PostgreSQL | None = None
    try:
        if engine == "sqlite":
            deployment = Deployment(folder, f"sqlite:///{folder}/auth.db", None)
        else:
            if postgresql is None:
                own = postgresql = await asyncio.to_thread(
                    partial(PostgreSQL, folder, fsync="on", full_page_writes="on")
                )
                await asyncio.to_thread(own.start)
            database_url = await asyncio.to_thread(_create_database, postgresql, folder.name)
            deployment = Deployment(folder, database_url, postgresql)
        try:
            yield deployment
        finally:
            await deployment.close()
    finally:
        if own is not None:
            await asyncio.to_thread(own.stop)
        shutil.rmtree(folder, ignore_errors=True)


def _write_toml(file: Path, values: dict[str, object] | dict[str, str]) -> None:
    file.write_text("\n".join(f"{key} = {toml_value(value)}" for key, value in values.items()))


def _create_database(postgresql: PostgreSQL, name: str) -> str:
    with psycopg.connect(postgresql.url("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return postgresql.url(name)
