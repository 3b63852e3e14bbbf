"""Failed client authentication is limited by address, audited, and never locks a client out (RFC 6749 §2.3.1)."""

from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.audit_trail import Trail, trail
from tests.support.auth_service import ADDRESS, AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import secret_of
from tests.support.registration import GOOD
from tests.support.relying_party import basic
from tests.support.scraping import counted

__all__ = ["trail"]

GRANT = {"grant_type": "client_credentials"}
INITIAL = "an initial access token that is long enough"


@pytest.fixture
async def auth(auth_sqlite_url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    registration = {"mode": "token", "initial_access_token": INITIAL}
    async with running_auth_service(auth_sqlite_url, clock, registration=registration) as running:
        yield running


async def ask(http: httpx.AsyncClient, client_id: str, secret: str, path: str = "/token") -> httpx.Response:
    return await http.post(path, data=GRANT | {"token": "x"}, headers={"Authorization": basic(client_id, secret)})


async def statuses(http: httpx.AsyncClient, count: int, client_id: str = "bot", path: str = "/token") -> Counter[int]:
    return Counter([(await ask(http, client_id, "w" * 40, path)).status_code for _ in range(count)])


async def test_wrong_secrets_from_one_address_are_limited_with_retry_after(auth: AuthService) -> None:
    http = auth.http()
    assert await statuses(http, 70) == {401: 60, 429: 10}
    refused = await ask(http, "bot", "w" * 40)
    assert refused.json()["error"] == "temporarily_unavailable"
    auth.clock.advance(seconds=int(refused.headers["retry-after"]))
    assert await statuses(http, 2) == {401: 1, 429: 1}


async def test_right_secret_is_accepted_over_the_limit(auth: AuthService) -> None:
    attacker = auth.http()
    await statuses(attacker, 120)
    assert (await ask(attacker, "bot", secret_of("bot"))).status_code == 200
    assert (await ask(auth.http("198.51.100.7"), "bot", secret_of("bot"))).status_code == 200
    assert (await ask(auth.http("198.51.100.7"), "bot", "w" * 40)).status_code == 401


async def test_address_is_limited_over_all_client_ids(auth: AuthService) -> None:
    http = auth.http()
    answers = [(await ask(http, f"client-{number}", "w" * 40)).status_code for number in range(110)]
    assert Counter(answers) == {401: 100, 429: 10}


async def test_ipv6_site_is_limited_over_all_its_networks(auth: AuthService) -> None:
    answers = [
        (await ask(auth.http(f"2001:db8:7:{number:x}::1"), "bot", "w" * 40)).status_code for number in range(110)
    ]
    assert Counter(answers) == {401: 100, 429: 10}


async def test_limit_does_not_reveal_which_clients_exist(auth: AuthService) -> None:
    known = [(await ask(auth.http(), "bot", "w" * 40)) for _ in range(62)]
    unknown = [(await ask(auth.http("198.51.100.7"), "nobody", "w" * 40)) for _ in range(62)]
    assert [(answer.status_code, answer.content) for answer in known] == [
        (answer.status_code, answer.content) for answer in unknown
    ]


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
async def test_every_endpoint_with_client_authentication_is_limited(auth: AuthService, path: str) -> None:
    http = auth.http()
    assert await statuses(http, 61, path=path) == {401: 60, 429: 1}
    assert await statuses(http, 1) == {429: 1}


async def test_caller_over_the_limit_causes_no_store_access(auth: AuthService) -> None:
    http = auth.http()
    await statuses(http, 61)
    rise = await counted(auth.http("127.0.0.1"), lambda: statuses(http, 50))
    assert rise.get('tallystick_store_units_total{kind="write",outcome="done"}', 0) < 10  # background tasks write, too


async def test_failures_are_audited_with_client_address_and_reason(auth: AuthService, trail: Trail) -> None:
    await statuses(auth.http(), 1)
    await statuses(auth.http(), 1, client_id="ada@example.com")
    rows = await trail.new()
    assert [(row.event, row.client_id, row.address, dict(row.detail)) for row in rows] == [
        ("client_authentication_failed", "bot", ADDRESS, {"reason": "wrong_secret"}),
        ("client_authentication_failed", None, ADDRESS, {"reason": "client_unknown"}),
    ]


async def test_audit_rows_of_failures_are_bounded_and_a_row_records_the_omission(
    auth: AuthService, trail: Trail
) -> None:
    await statuses(auth.http(), 200)
    assert Counter(await trail.events()) == {"client_authentication_failed": 20, "left_out": 1}


async def test_wrong_initial_access_tokens_are_limited_and_the_right_one_is_accepted(auth: AuthService) -> None:
    http = auth.http()

    async def register(token: str) -> int:
        response = await http.post("/register", json=GOOD, headers={"Authorization": f"Bearer {token}"})
        return response.status_code

    assert Counter([await register("w" * 40) for _ in range(70)]) == {401: 60, 429: 10}
    assert await register(INITIAL) == 201


async def test_wrong_registration_access_tokens_are_limited(auth: AuthService) -> None:
    http = auth.http()
    answers = [
        (await http.get("/register/nobody", headers={"Authorization": f"Bearer {'w' * 40}"})).status_code
        for _ in range(62)
    ]
    assert Counter(answers) == {401: 60, 429: 2}
