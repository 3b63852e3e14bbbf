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
from tests.support.relying_party import Browser, RelyingParty, error_of

ISSUER = "http://localhost:8000"
"""A name only: nobody listens there, and every process is called by its own port."""


@pytest.fixture
def ports(auth_postgresql_url: str, tmp_path: Path) -> Iterator[list[int]]:
    """The ports of two processes."""
    config = tmp_path / "tallystick.toml"
    config.write_text(declared_toml(auth_postgresql_url, issuer=ISSUER))
    with ExitStack() as stack:
        yield [stack.enter_context(auth_process(config)) for _ in range(2)]


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


async def test_guesses_are_counted_together(rps: list[RelyingParty]) -> None:
    page = await rps[0].authorize()
    statuses = [(await rp.browser.sign_in(page, password="wrong")).status_code for rp in rps * 6]
    assert Counter(statuses) == {401: 10, 429: 2}
