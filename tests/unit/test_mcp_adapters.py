"""Servers of the MCP SDK and of FastMCP answer as the other adapters do."""

import time
from collections.abc import Callable

import pytest

from tests.support.adapters.cases import CASES, bearer, issuer_of_cases, summary
from tests.support.adapters.exchange import Answer
from tests.support.adapters.mcp_servers import MCP_SERVERS
from tests.support.clock import MovableClock
from tests.support.token_issuer import AUDIENCE, ISSUER, TokenIssuer

EXPIRED_IN_THE_LEEWAY = "within the leeway"
"""A token that this library accepts. Both SDKs compare `exp` once more, without leeway."""

servers = pytest.mark.parametrize("server", MCP_SERVERS.values(), ids=MCP_SERVERS)


def options(issuer: TokenIssuer) -> dict[str, object]:
    return {"issuer": ISSUER, "audience": AUDIENCE, "clock": issuer.clock, "transport": issuer.transport}


@pytest.fixture
def now() -> MovableClock:
    """Both SDKs compare `exp` with the system clock."""
    return MovableClock(int(time.time()))


@servers
async def test_mcp_servers_give_the_expected_answers(server: Callable[..., object], now: MovableClock) -> None:
    issuer = issuer_of_cases(now)
    cases = [case for case in CASES if case.path == "/any" and case.name != EXPIRED_IN_THE_LEEWAY]
    async with server(options(issuer)) as call:  # type: ignore[attr-defined]
        answers = {case.name: summary(await call("/", case.headers(issuer)), issuer) for case in cases}
    assert answers == {case.name: case.expected for case in cases}
    assert len(cases) > 50


@servers
async def test_mcp_servers_answer_503_until_the_keys_are_known(
    server: Callable[..., object], now: MovableClock
) -> None:
    issuer = TokenIssuer(now)
    issuer.is_away = True
    async with server(options(issuer)) as call:  # type: ignore[attr-defined]
        answer = await call("/", bearer()(issuer))
    assert answer == Answer(503, challenge=None, retry_after="1", cache_control="no-store", claims=None)


@servers
async def test_mcp_servers_serve_the_metadata_with_the_exact_issuer(
    server: Callable[..., object], now: MovableClock
) -> None:
    scopes = {"notes:read": "Read", "notes:write": "Write"}
    async with server({**options(TokenIssuer(now)), "scopes": scopes}) as call:  # type: ignore[attr-defined]
        document = (await call("/.well-known/oauth-protected-resource", [])).claims
    assert document is not None
    assert document["resource"] == AUDIENCE
    assert document["authorization_servers"] == [ISSUER]
    assert document["scopes_supported"] == list(scopes)
