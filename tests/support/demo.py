"""The processes of `make run`, on other ports and in a temporary folder, with a new user for each test."""

import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select, update

from auth_service.authentication.users.passwords import Passwords
from auth_service.configuration.configuration_file import apply, read_config
from auth_service.http.signed_state import StateSigner
from auth_service.keys.bootstrap import load_secret
from auth_service.keys.master_key import MasterKey
from auth_service.settings.declarations import DeclaredClient
from auth_service.store.schema.tables import login_sessions, token_families
from auth_service.store.schema.tables import users as users_table
from auth_service.store.users import users
from deploy.demo.demo_files import DemoFiles
from deploy.demo.servers import ONE, TWO, api_url, auth_url, demo_servers, spa_url
from deploy.local.client_secrets import Account
from deploy.local.supervisor import Server, wait_until_ready
from tallystick.clock import Clock, system_clock
from tallystick_service.store import Store
from tests.support.forked import ForkedProcess
from tests.support.patience import patient_store
from tests.support.ports import free_ports
from tests.support.processes import ROOT, in_the_foreground

NODE_MODULES = ROOT / "tests" / "foreign" / "node" / "node_modules"
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Demo:
    files: DemoFiles

    @property
    def auth(self) -> str:
        return auth_url(self.files)

    @property
    def api(self) -> str:
        return api_url(self.files)

    @property
    def one(self) -> str:
        return ONE.url(self.files)

    @property
    def two(self) -> str:
        return TWO.url(self.files)

    @property
    def spa(self) -> str:
        return spa_url(self.files)

    @property
    def origins(self) -> set[str]:
        return {self.auth, self.api, self.one, self.two, self.spa}

    async def add_person(self) -> Account:
        """Add a user, so that tests share no notes, consents or failed logins."""
        person = Account(f"{secrets.token_hex(6)}@example.com", PASSWORD)
        async with self._store() as store:
            await store.write(
                users.add_user,
                email=person.email,
                password_hash=Passwords.hash(person.password),
                claims={"name": "Grace Hopper"},
                roles=[],
                origin="command",
                now=system_clock(),
            )
        return person

    async def age_login(self, person: Account, *, seconds: int) -> None:
        """Make every login of a user, and its token families, older by `seconds`."""
        async with self._store() as store:
            await store.write(_age_login, person.email, seconds=seconds)

    async def declare_client(self, **metadata: object) -> None:
        """Apply the demo's configuration with one more client. The auth service reads it within a second."""
        settings = read_config(self.files.auth_toml)
        client = DeclaredClient.model_validate(metadata)
        async with self._store() as store:
            await apply(store, settings.model_copy(update={"client": [*settings.client, client]}), system_clock)

    async def state_signer(self, clock: Clock) -> StateSigner:
        """The auth service's own way to sign the state of a form, at another time."""
        async with self._store() as store:
            settings = read_config(self.files.auth_toml)
            form_keys = await load_secret(store, MasterKey.load(settings.master_key, may_create=False), "form_key")
        return StateSigner(lambda: [form_keys[max(form_keys)]], clock)

    @asynccontextmanager
    async def _store(self) -> AsyncIterator[Store]:
        store = patient_store(read_config(self.files.auth_toml).database_url)
        try:
            yield store
        finally:
            await store.close()


def _age_login(connection: Connection, email: str, *, seconds: int) -> None:
    sub = select(users_table.c.sub).where(users_table.c.email == email).scalar_subquery()
    for table in (login_sessions, token_families):
        connection.execute(update(table).where(table.c.sub == sub).values(auth_time=table.c.auth_time - seconds))


@contextmanager
def running_demo(folder: Path, **environment: str) -> Iterator[Demo]:
    """Run the demo during the block; it must exit with status 0. `environment` is added to this process's."""
    files = DemoFiles(free_ports(5), folder / "var")
    options = ["--var", str(files.var), "--ports", ",".join(map(str, files.ports))]
    options += ["--spa", "--spa-library", str(NODE_MODULES / "oidc-client-ts/dist/browser/oidc-client-ts.min.js")]
    with in_the_foreground("deploy.demo", *options, **environment):
        yield Demo(files)


AUTH_SERVICE, NOTES_API = "auth service", "notes API"


class DemoServers:
    """The servers of a demo, which a test can stop and start one by one. They are forks (`forked.py`)."""

    def __init__(self, demo: Demo, environment: Mapping[str, str], stack: ExitStack) -> None:
        self.demo = demo
        self._environment = environment
        self._servers = {server.name: server for server in demo_servers(demo.files)}
        self._processes: dict[str, ForkedProcess] = {}
        self._stack = stack

    async def start(self, *names: str) -> None:
        """Start the named servers, or all of them, and wait until they answer."""
        started = [self._servers[name] for name in names or self._servers]
        for server in started:
            self._processes[server.name] = self._launch(server)
        await wait_until_ready(started)

    def _launch(self, server: Server) -> ForkedProcess:
        _python, _m, *module_and_arguments = server.command
        environment = {**os.environ, **self._environment, **server.environment}
        with (self.demo.files.logs / f"{server.port}.log").open("ab") as log:
            process = ForkedProcess(
                module_and_arguments, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        self._stack.enter_context(process)
        self._stack.callback(process.terminate)
        return process

    def stop(self, name: str) -> None:
        self._processes[name].terminate()
        assert self._processes[name].wait() == 0

    @asynccontextmanager
    async def without(self, name: str) -> AsyncIterator[None]:
        self.stop(name)
        yield
        await self.start(name)


@asynccontextmanager
async def running_servers(folder: Path, **environment: str) -> AsyncIterator[DemoServers]:
    """Run the servers of a demo without its supervisor. `environment` is added to this process's."""
    files = DemoFiles(free_ports(5), folder / "var")
    files.prepare()
    with ExitStack() as stack:
        servers = DemoServers(Demo(files), environment, stack)
        await servers.start()
        yield servers
