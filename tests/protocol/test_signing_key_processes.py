"""Signing keys change, and no request fails: two processes of the auth service on one store, and an API for each.

The processes are apps in this process, with one movable clock. `make reliability` does the same with real processes.
"""

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey
from resource_service.main import create_app
from resource_service.settings import Settings
from tallystick_service.store.migrations import migrate
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER, MASTER_KEY, NOTES
from tests.support.patience import PATIENCE
from tests.support.relying_party import RelyingParty, header_of
from tests.support.waiting import until, until_it_is

pytestmark = pytest.mark.postgresql

AHEAD = 10
"""Seconds for which a key is published before it signs: the configurable minimum."""
FETCH_INTERVAL = 0.1
OFFLINE = "openid notes:read offline_access"


class RecordingTransport(httpx.ASGITransport):
    """The network between an API and its auth service. `jwks` is the last JWK Set that the API received."""

    jwks = b""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.url.path == "/jwks" and response.status_code == 200:  # 304: the API has the newest one
            self.jwks = await response.aread()
        return response


@dataclass
class Api:
    http: httpx.AsyncClient
    transport: RecordingTransport

    async def whoami(self, access_token: str) -> int:
        """Return the status of the response."""
        return (await self.http.get("/whoami", headers={"Authorization": f"Bearer {access_token}"})).status_code


@dataclass
class Replicas:
    """Each auth service has an API, and a client in whose browser a user signs in.

    `command` is the key ring of another process, as the commands `keys rotate` and `keys withdraw` have one.
    """

    auths: list[AuthService]
    apis: list[Api]
    rps: list[RelyingParty]
    clock: MovableClock
    command: KeyRing

    async def use_for_a_second(self, refresh_tokens: list[str]) -> set[str]:
        """Advance the clock, send every kind of request to every process, and return the kids of the new tokens.

        Asserts that no request fails. Replaces `refresh_tokens` by their successors.
        """
        self.clock.advance(seconds=1)
        kids = set()
        for number, rp in enumerate(self.rps):
            assert await self.apis[number].whoami(token_with_unknown_kid()) == 401
            own = await self.auths[number].relying_party("bot").client_credentials()
            refreshed = await rp.refresh(refresh_tokens[number])
            for response in (own, refreshed):
                assert response.status_code == 200, response.text
                access_token = response.json()["access_token"]
                kids.add(header_of(access_token)["kid"])
                assert [await api.whoami(access_token) for api in self.apis] == [200, 200]
            refresh_tokens[number] = refreshed.json()["refresh_token"]
            assert (await self.rps[1 - number].userinfo(access_token)).status_code == 200
        return kids


def token_with_unknown_kid() -> str:
    """An API fetches the keys for an unknown kid, at most once in its cooldown. This token uses the cooldown up."""
    header = f'{{"alg":"ES256","typ":"at+jwt","kid":"{secrets.token_urlsafe(16)}"}}'
    return f"{base64.urlsafe_b64encode(header.encode()).rstrip(b'=').decode()}.e30.{'A' * 86}"


@pytest.fixture
async def replicas(auth_database_url: str, tmp_path: Path, clock: MovableClock) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        auths, apis = [], []
        for number in range(2):
            auth = await stack.enter_async_context(
                running_auth_service(auth_database_url, clock, lifetimes={"signing_key_ahead": AHEAD})
            )
            transport = RecordingTransport(auth.app)
            url = f"sqlite:///{tmp_path}/notes-{number}.db"
            migrate(url, "resource_service.migrations")
            settings = Settings.model_validate(
                {"audience": NOTES, "issuer": ISSUER, "database_url": url, "database_timeout": PATIENCE}
            )
            api = create_app(settings, clock, transport, follow_every=FETCH_INTERVAL)
            await stack.enter_async_context(api.router.lifespan_context(api))
            http = httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url=NOTES)
            apis.append(Api(await stack.enter_async_context(http), transport))
            auths.append(auth)
        master_key = MasterKey.load(MASTER_KEY, may_create=False)
        command = KeyRing.from_lifetimes(auths[0].store, master_key, clock, auths[0].settings.lifetimes)
        yield Replicas(auths, apis, [auth.relying_party() for auth in auths], clock, command)


async def test_no_request_fails_during_rotations(replicas: Replicas) -> None:
    refresh_tokens = [(await rp.tokens(scope=OFFLINE))["refresh_token"] for rp in replicas.rps]
    (signing,) = await replicas.use_for_a_second(refresh_tokens)
    for _ in range(2):
        new = await replicas.command.rotate()
        assert new is not None
        kids = await replicas.use_for_a_second(refresh_tokens)
        for api in replicas.apis:
            await until(lambda api=api, new=new: new.encode() in api.transport.jwks)  # type: ignore[misc]
        for _ in range(AHEAD + 5):
            kids |= await replicas.use_for_a_second(refresh_tokens)
        assert kids == {signing, new}
        signing = new


async def test_tokens_of_a_withdrawn_key_are_refused_by_every_process(replicas: Replicas) -> None:
    rp, other = replicas.rps
    tokens = await rp.tokens(scope=OFFLINE)
    stolen = tokens["access_token"]
    assert [await api.whoami(stolen) for api in replicas.apis] == [200, 200]  # both keep it in a cache
    assert (await other.userinfo(stolen)).status_code == 200
    assert await replicas.command.withdraw(header_of(stolen)["kid"])
    replicas.clock.advance(seconds=1)
    for each in replicas.rps:
        assert (await each.userinfo(stolen)).status_code == 401
        assert (await each.introspect(stolen)).json() == {"active": False}
    for api in replicas.apis:
        await until_it_is(lambda api=api: refuses(api, stolen))  # type: ignore[misc]
    refreshed = (await rp.refresh(tokens["refresh_token"])).json()["access_token"]
    assert [await api.whoami(refreshed) for api in replicas.apis] == [200, 200]


async def refuses(api: Api, access_token: str) -> bool:
    return await api.whoami(access_token) == 401
