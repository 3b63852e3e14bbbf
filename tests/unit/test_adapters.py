"""Every adapter answers the same requests in the same way: status, challenge and claims.

`tests/support/adapters/apps.py` has one API per framework, and `cases.py` the requests with the expected answers.
"""

from collections.abc import Iterator

import pytest

from tests.support.adapters.apps import ADAPTERS
from tests.support.adapters.cases import CASES, Case, bearer, issuer_of_cases, summary
from tests.support.adapters.exchange import Answer, Call
from tests.support.clock import MovableClock
from tests.support.django_project import deselect
from tests.support.token_issuer import AUDIENCE, ISSUER, TokenIssuer


@pytest.fixture(scope="module")
def issuer() -> TokenIssuer:
    return issuer_of_cases()


@pytest.fixture(scope="module")
def calls(issuer: TokenIssuer) -> Iterator[dict[str, Call]]:
    options = {"issuer": ISSUER, "audience": AUDIENCE, "clock": issuer.clock, "transport": issuer.transport}
    yield {name: build(options) for name, build in ADAPTERS.items()}
    deselect()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_all_adapters_give_the_expected_answer(case: Case, issuer: TokenIssuer, calls: dict[str, Call]) -> None:
    headers = case.headers(issuer)
    answers = {name: summary(await call(case.path, headers), issuer) for name, call in calls.items()}
    assert answers == dict.fromkeys(calls, case.expected)


async def test_all_adapters_answer_503_until_the_keys_are_known(issuer: TokenIssuer) -> None:
    away = TokenIssuer(MovableClock())
    away.is_away = True
    options = {"issuer": ISSUER, "audience": AUDIENCE, "clock": away.clock, "transport": away.transport}
    calls = {name: build(options) for name, build in ADAPTERS.items()}
    headers = bearer()(away)
    answers = {name: await call("/any", headers) for name, call in calls.items()}
    expected = Answer(503, challenge=None, retry_after="1", cache_control="no-store", claims=None)
    assert answers == dict.fromkeys(calls, expected)


async def test_all_adapters_serve_the_metadata_without_a_token(calls: dict[str, Call]) -> None:
    path = "/.well-known/oauth-protected-resource"
    documents = {name: (await call(path, [])).claims for name, call in calls.items()}
    assert all(document is not None for document in documents.values()), documents
    for name, document in documents.items():
        assert document is not None
        assert document["resource"] == AUDIENCE, name
        assert document["authorization_servers"] == [ISSUER], name
        assert set(document["scopes_supported"]) == {"notes:read", "notes:write"}, name
