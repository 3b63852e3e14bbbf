"""Processes share no state but the database: a flow that begins in one process can end in another, once.

Real processes on one PostgreSQL, each started with the documented command.
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
from tests.support.relying_party import Browser, RelyingParty, error_of

ISSUER = "http://localhost:8000"
"""Only a name. No server listens there; the tests call each process by its own port."""


@pytest.fixture
def ports(auth_postgresql_url: str, tmp_path: Path) -> Iterator[list[int]]:
    """The ports of two processes."""
    config = tmp_path / "tallystick.toml"
    config.write_text(declared_toml(auth_postgresql_url, issuer=ISSUER))
    with ExitStack() as stack:
        yield [stack.enter_context(auth_process(config)) for _ in range(2)]


@pytest.fixture
async def rps(ports: list[int]) -> AsyncIterator[list[RelyingParty]]:
    """One client and one browser, once for each process."""
    declared = next(client for client in declared_settings("sqlite:///unused").client if client.client_id == "app-one")
    cookies = CookieJar()  # one for all, because cookies do not depend on ports (RFC 6265 §8.5)
    clients = [
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", cookies=cookies, timeout=30, trust_env=False)
        for port in ports
    ]
    yield [RelyingParty(declared, http, Browser(http, ISSUER)) for http in clients]
    await asyncio.gather(*(http.aclose() for http in clients))


async def test_flow_can_change_processes_at_every_step(rps: list[RelyingParty]) -> None:
    here, there = rps
    page = await here.authorize()
    signed_in = await there.browser.sign_in(page)  # with a form that the other process signed
    assert signed_in.status_code == 303
    tokens = (await there.token(await here.authorization_code())).json()
    assert (await here.userinfo(tokens["access_token"])).status_code == 200
    await there.browser.submit(await here.browser.open("/logout"))
    assert (await here.userinfo(tokens["access_token"])).status_code == 401
    assert error_of(await here.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


async def test_failed_logins_are_counted_over_all_processes(rps: list[RelyingParty]) -> None:
    page = await rps[0].authorize()
    statuses = [(await rp.browser.sign_in(page, password="wrong")).status_code for rp in rps * 6]
    assert Counter(statuses) == {401: 10, 429: 2}
