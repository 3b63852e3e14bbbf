"""Keys change and no request fails: a short form of `tests/reliability/key_*.py`, with two processes of each kind."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from auth_service.__main__ import app as command_line
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey
from resource_service.main import create_app
from resource_service.settings import Settings
from tallystick_service.store.migrations import migrate
from tests.support.auth_process import auth_process
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER, MASTER_KEY, NOTES, declared_settings, declared_toml
from tests.support.relying_party import Browser, RelyingParty, header_of
from tests.support.waiting import until, until_it_is

AHEAD = 10
"""The shortest that can be set."""
OFFLINE = "openid notes:read offline_access"


class FarSide(httpx.ASGITransport):
    """The auth service as an API reaches it. `jwks` is what it was told last."""

    jwks = b""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.url.path == "/jwks":
            self.jwks = await response.aread()
        return response


@dataclass
class Api:
    http: httpx.AsyncClient
    far_side: FarSide

    async def whoami(self, access_token: str) -> int:
        return (await self.http.get("/whoami", headers={"Authorization": f"Bearer {access_token}"})).status_code


@dataclass
class Pair:
    """Two auth services on one store; each has an API, and a person who is signed in. Their clocks go together: time is
    moved here in leaps, and those who are behind the store take its time, which leaps do not move."""

    auth: list[AuthService]
    clock: MovableClock
    apis: list[Api]
    people: list[RelyingParty]
    command: KeyRing

    async def a_second_passes(self, refresh_tokens: list[str]) -> set[str]:
        """In which everybody does everything; the kids of new tokens. What fails is an AssertionError."""
        self.clock.advance(seconds=1)
        kids = set()
        for number, person in enumerate(self.people):
            api, other = self.apis[number], self.people[1 - number]
            assert await api.whoami(_with_a_made_up_kid()) == 401
            bot = await self.auth[number].relying_party("bot").client_credentials()
            renewed = await person.refresh(refresh_tokens[number])
            for response in (bot, renewed):
                assert response.status_code == 200, response.text
                access_token = response.json()["access_token"]
                kids.add(header_of(access_token)["kid"])
                for each in self.apis:
                    assert await each.whoami(access_token) == 200
            refresh_tokens[number] = renewed.json()["refresh_token"]
            assert (await other.userinfo(access_token)).status_code == 200
        return kids


def _with_a_made_up_kid() -> str:
    """With these a stranger uses up what an API is ready to ask for unknown keys."""
    header = f'{{"alg":"ES256","typ":"at+jwt","kid":"{secrets.token_urlsafe(16)}"}}'
    return f"{base64.urlsafe_b64encode(header.encode()).rstrip(b'=').decode()}.e30.{'A' * 86}"


@pytest.fixture
async def pair(auth_database_url: str, tmp_path: Path, clock: MovableClock) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        auth, apis = [], []
        for number in range(2):
            running = await stack.enter_async_context(
                running_auth_service(auth_database_url, clock, lifetimes={"signing_key_ahead": AHEAD})
            )
            far_side = FarSide(running.app)
            url = f"sqlite:///{tmp_path}/notes-{number}.db"
            migrate(url, "resource_service.migrations")
            settings = Settings.model_validate({"audience": NOTES, "issuer": ISSUER, "database_url": url})
            api = create_app(settings, clock, far_side)
            await stack.enter_async_context(api.router.lifespan_context(api))
            http = httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url=NOTES)
            apis.append(Api(await stack.enter_async_context(http), far_side))
            auth.append(running)
        command = KeyRing.from_lifetimes(
            auth[0].store, MasterKey.load(MASTER_KEY, may_create=False), clock, auth[0].settings.lifetimes
        )
        yield Pair(auth, clock, apis, [one.relying_party() for one in auth], command)


async def test_rotations_fail_no_request(pair: Pair) -> None:
    refresh_tokens = [(await person.tokens(scope=OFFLINE))["refresh_token"] for person in pair.people]
    (signing,) = await pair.a_second_passes(refresh_tokens)
    for _ in range(2):
        new = await pair.command.rotate()
        assert new is not None
        seen = await pair.a_second_passes(refresh_tokens)
        for api in pair.apis:
            await until(lambda api=api, new=new: new.encode() in api.far_side.jwks)  # type: ignore[misc]
        for _ in range(AHEAD + 5):
            seen |= await pair.a_second_passes(refresh_tokens)
        assert seen == {signing, new}
        signing = new


async def test_the_tokens_of_a_withdrawn_key_are_refused_everywhere(pair: Pair) -> None:
    person, other = pair.people
    tokens = await person.tokens(scope=OFFLINE)
    stolen = tokens["access_token"]
    for api in pair.apis:
        assert await api.whoami(stolen) == 200  # which they remember
    assert (await other.userinfo(stolen)).status_code == 200
    assert await pair.command.withdraw(header_of(stolen)["kid"])
    pair.clock.advance(seconds=1)
    for one in pair.people:
        assert (await one.userinfo(stolen)).status_code == 401
        assert (await one.introspect(stolen)).json() == {"active": False}
    for api in pair.apis:
        await until_it_is(lambda api=api: _is_refused(api, stolen))  # type: ignore[misc]
    renewed = (await person.refresh(tokens["refresh_token"])).json()["access_token"]
    assert [await api.whoami(renewed) for api in pair.apis] == [200, 200]


async def _is_refused(api: Api, access_token: str) -> bool:
    return await api.whoami(access_token) == 401


# Another master key, under real processes


def write_master_keys(config: Path, *several: str) -> None:
    config.with_name("master.key").write_text("".join(f"{key}\n" for key in several))


@pytest.fixture
def config(auth_database_url: str, tmp_path: Path) -> Path:
    config = tmp_path / "tallystick.toml"
    write_master_keys(config, MASTER_KEY)
    settings = {"issuer": "http://localhost:8000", "master_key": f"file:{tmp_path}/master.key"}
    config.write_text(declared_toml(auth_database_url, **settings))
    return config


@pytest.fixture
def ports(config: Path) -> Iterator[list[int]]:
    with ExitStack() as stack:
        yield [stack.enter_context(auth_process(config)) for _ in range(2)]


@pytest.fixture
async def bots(ports: list[int]) -> AsyncIterator[list[RelyingParty]]:
    """A client of each process."""
    declared = next(one for one in declared_settings("sqlite:///unused").client if one.client_id == "bot")
    clients = [httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) for port in ports]
    yield [RelyingParty(declared, http, Browser(http, ISSUER)) for http in clients]
    await asyncio.gather(*(http.aclose() for http in clients))


async def test_the_master_key_changes_under_running_processes(config: Path, bots: list[RelyingParty]) -> None:
    new_master_key = "B" * 42 + "A"

    def command(*words: str) -> str:
        done = CliRunner().invoke(command_line, [*words, "--config", str(config)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    async def tokens_are_issued() -> set[str]:
        responses = [await bot.client_credentials() for bot in bots]
        assert [response.status_code for response in responses] == [200] * len(bots)
        tokens = [response.json()["access_token"] for response in responses]
        for bot in bots:
            assert all([(await bot.introspect(token)).json()["active"] for token in tokens])
        return {header_of(token)["kid"] for token in tokens}

    (before,) = await tokens_are_issued()
    write_master_keys(config, MASTER_KEY, new_master_key)
    await tokens_are_issued()
    write_master_keys(config, new_master_key, MASTER_KEY)
    await tokens_are_issued()
    first_of_two = "the first of 2 master keys\n"
    assert await asyncio.to_thread(command, "keys", "re-encrypt") == f"encrypted 4 keys and secrets with {first_of_two}"
    again = await asyncio.to_thread(command, "keys", "re-encrypt")
    assert again == f"nothing to do: 4 keys and secrets are encrypted with {first_of_two}"
    write_master_keys(config, new_master_key)
    assert await tokens_are_issued() == {before}
    # A key that is made since, which both processes open though they were started before.
    await asyncio.to_thread(command, "keys", "rotate")
    await asyncio.to_thread(command, "keys", "withdraw", before)

    async def is_replaced() -> bool:
        kids = {header_of((await bot.client_credentials()).json()["access_token"])["kid"] for bot in bots}
        return before not in kids and len(kids) == 1

    await until_it_is(is_replaced)
    await tokens_are_issued()
    # The old one alone is as wrong as any other.
    write_master_keys(config, MASTER_KEY)
    refused = await asyncio.to_thread(CliRunner().invoke, command_line, ["keys", "rotate", "--config", str(config)])
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "master_key: not the one" in refused.stderr
