"""A process holds nothing that another needs: what was begun at one is ended at the other, once.

Real processes on one PostgreSQL, each started as the contract says.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from http.cookiejar import CookieJar
from pathlib import Path

import httpx
import pytest

from tests.support.auth_process import auth_process
from tests.support.declared import declared_settings, declared_toml
from tests.support.relying_party import Browser, RelyingParty, answered, error_of

ISSUER = "http://localhost:8000"
"""A name only: nobody listens there, and every process is called by its own port."""


@pytest.fixture
def ports(auth_postgresql_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[int]]:
    """Where the processes listen; `request.param` has the options of each."""
    config = tmp_path / "tallystick.toml"
    config.write_text(declared_toml(auth_postgresql_url, issuer=ISSUER))
    with ExitStack() as stack:
        yield [stack.enter_context(auth_process(config, *options)) for options in request.param]


@pytest.fixture
async def rps(ports: list[int]) -> AsyncIterator[list[RelyingParty]]:
    """One client and one browser, which reach each process in turn."""
    declared = next(client for client in declared_settings("sqlite:///unused").client if client.client_id == "app-one")
    cookies = CookieJar()  # one for all, since cookies know no ports (RFC 6265 §8.5)
    clients = [
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", cookies=cookies, timeout=30, trust_env=False)
        for port in ports
    ]
    yield [RelyingParty(declared, http, Browser(http, ISSUER)) for http in clients]
    await asyncio.gather(*(http.aclose() for http in clients))


TWO_PROCESSES = pytest.param([(), ()], id="two processes")
TWO_WORKERS = pytest.param([("--workers", "2")], id="two workers")


@pytest.mark.parametrize("ports", [TWO_PROCESSES, TWO_WORKERS], indirect=True)
async def test_a_code_works_once_and_a_refresh_token_has_one_successor(rps: list[RelyingParty]) -> None:
    sixty = rps * (60 // len(rps))
    for _ in range(3):
        code = await rps[0].authorization_code()
        redeemed = answered(await asyncio.gather(*(rp.token(code) for rp in sixty)))
        assert Counter(response.status_code for response in redeemed) == {200: 1, 400: len(redeemed) - 1}

        token = (await rps[-1].tokens())["refresh_token"]
        refreshed = answered(await asyncio.gather(*(rp.refresh(token) for rp in sixty)))
        assert {response.status_code for response in refreshed} == {200}
        (successor,) = {response.json()["refresh_token"] for response in refreshed}
        assert (await rps[0].refresh(successor)).status_code == 200


@pytest.mark.parametrize("ports", [TWO_PROCESSES], indirect=True)
async def test_what_one_process_began_the_other_ends(rps: list[RelyingParty]) -> None:
    here, there = rps
    page = await here.authorize()
    signed_in = await there.browser.sign_in(page)  # a form sealed by the other
    assert signed_in.status_code == 303
    tokens = (await there.token(await here.authorization_code())).json()
    assert (await here.userinfo(tokens["access_token"])).status_code == 200
    await there.browser.submit(await here.browser.open("/logout"))
    assert (await here.userinfo(tokens["access_token"])).status_code == 401
    assert error_of(await here.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


@pytest.mark.parametrize("ports", [TWO_PROCESSES], indirect=True)
async def test_guesses_are_counted_together(rps: list[RelyingParty]) -> None:
    page = await rps[0].authorize()
    statuses = [(await rp.browser.sign_in(page, password="wrong")).status_code for rp in rps * 6]
    assert Counter(statuses) == {401: 10, 429: 2}
