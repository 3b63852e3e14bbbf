"""/metrics of the notes API: its access rule and its values."""

import httpx
import pytest

from resource_service.metrics import NotesMetrics
from tallystick.fastapi import IssuerHealth
from tests.support.notes_api import NotesApi
from tests.support.scraping import counted, scrape
from tests.support.token_issuer import TokenIssuer


@pytest.fixture
def here(quick_api: NotesApi) -> httpx.AsyncClient:
    """A client on the same machine, which is the default of httpx."""
    return quick_api.anyone()


async def test_only_a_direct_caller_on_this_machine_may_read_metrics(here: httpx.AsyncClient) -> None:
    home = {"Host": "127.0.0.1:8001"}
    assert (await here.get("/metrics", headers=home)).status_code == 200
    for refused in (home | {"Forwarded": "for=127.0.0.1"}, {"Host": "api.example.com"}):
        response = await here.get("/metrics", headers=refused)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


async def test_verdict_is_counted_by_its_reason(quick_api: NotesApi, here: httpx.AsyncClient) -> None:
    issuer, now = quick_api.issuer, quick_api.clock()
    for verdict, caller in {
        "accepted": quick_api.caller(),
        "no_token": quick_api.anyone(),
        "malformed": quick_api.bearer("nonsense"),
        "unknown_key": quick_api.bearer(TokenIssuer(quick_api.clock).access_token()),
        "bad_signature": quick_api.bearer(issuer.access_token()[:-8] + "AAAAAAAA"),
        "bad_claims": quick_api.caller(iat="yesterday"),
        "wrong_issuer": quick_api.caller(iss="https://other.example.com"),
        "wrong_audience": quick_api.caller(aud="https://other.example.com"),
        "expired": quick_api.caller(exp=now - 61),
        "not_yet_valid": quick_api.caller(iat=now + 61),
        "insufficient_scope": quick_api.caller(scope="notes:write"),
    }.items():
        risen = await counted(here, lambda caller=caller: caller.get("/notes"))  # type: ignore[misc]
        verdicts = {name: rise for name, rise in risen.items() if name.startswith("tallystick_verifier_verdicts_total")}
        assert verdicts == {f'tallystick_verifier_verdicts_total{{verdict="{verdict}"}}': 1}


async def test_request_is_counted_by_its_path_template(quick_api: NotesApi, here: httpx.AsyncClient) -> None:
    caller = quick_api.caller()
    note = (await caller.post("/notes", json={"title": "A", "body": ""})).json()
    risen = await counted(here, lambda: caller.get(f"/notes/{note['id']}"))
    assert risen['tallystick_requests_total{endpoint="/notes/{note_id}",method="GET",status="200"}'] == 1
    assert risen['tallystick_store_units_total{kind="read",outcome="done"}'] == 1
    assert not any(note["id"] in name for name in await scrape(here))


async def test_metrics_report_the_health_of_the_issuer(quick_api: NotesApi, here: httpx.AsyncClient) -> None:
    health = IssuerHealth(
        keys_age=3,
        list_ages={"one": 2, "two": None, "three": 9},
        status_age=9,
        failed_fetches={"jwks": 4, "status_list": 1},
        refused_by_status=0,
        is_failing_closed=True,
    )
    metrics: NotesMetrics = quick_api.app.state.metrics
    before = await scrape(here)
    metrics.watch_issuer(lambda: health)
    for _ in range(2):  # a second scrape does not count a failure again
        numbers = await scrape(here)
        jwks = 'tallystick_verifier_failed_fetches_total{fetched="jwks"}'
        assert numbers[jwks] - before[jwks] == 4
        assert numbers["tallystick_verifier_keys_age_seconds"] == 3
        assert numbers["tallystick_verifier_status_list_age_seconds"] == 9
        assert numbers["tallystick_verifier_failing_closed"] == 1
