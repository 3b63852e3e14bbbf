"""RP-Initiated Logout OP: when the browser is redirected, and when it must not be (docs/conformance.md)."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from joserfc.util import json_b64encode

from tests.conformance.checks import is_https
from tests.conformance.suite import POST_LOGOUT, Client, Login, Suite
from tests.support.relying_party import claims_of

STATE = "s" * 128


@pytest.fixture
async def suite(request: pytest.FixtureRequest, static_suite: Suite, dynamic_suite: Suite) -> Suite:
    """The suite with static or with dynamic clients."""
    return dynamic_suite if getattr(request, "param", False) else static_suite


either = pytest.mark.parametrize("suite", [False, True], ids=["static", "dynamic"], indirect=True)


async def log_in(suite: Suite) -> tuple[Client, Login]:
    client = await suite.client(post_logout_redirect_uris=[POST_LOGOUT])
    return client, await suite.log_in(client)


async def log_out(suite: Suite, **parameters: str) -> httpx.Response:
    """Send a logout request, and confirm it if the provider asks."""
    endpoint = suite.metadata["end_session_endpoint"].removeprefix(suite.issuer)
    page = await suite.person.open(f"{endpoint}?{urlencode(parameters)}" if parameters else endpoint)
    if 'id="log-out"' in page.text:
        page = await suite.person.submit(page)
    return page


async def is_signed_in(suite: Suite, client: Client) -> bool:
    answer = suite.answer(await suite.arrive(suite.parameters(client, prompt="none")), client)
    assert answer.get("error") in (None, "login_required")
    return "code" in answer


def is_redirect(page: httpx.Response) -> bool:
    return page.is_redirect or "post_logout_redirect" in page.headers.get("refresh", "")


async def test_discovery_endpoint_verification(static_suite: Suite) -> None:
    assert is_https(static_suite.metadata["end_session_endpoint"])


@either
@pytest.mark.parametrize("state", [STATE, None], ids=["state", "no-state"])
async def test_rp_initiated_logout(suite: Suite, state: str | None) -> None:
    client, login = await log_in(suite)
    request = {"id_token_hint": login.id_token, "post_logout_redirect_uri": POST_LOGOUT}
    if state is not None:
        request["state"] = state
    page = await log_out(suite, **request)
    sent_to = urlsplit(page.headers["location"])
    assert sent_to._replace(query="").geturl() == POST_LOGOUT
    assert dict(parse_qsl(sent_to.query)) == ({} if state is None else {"state": state})
    assert not await is_signed_in(suite, client)


def _unsigned(id_token: str, _: Any) -> str:
    header = json_b64encode({"alg": "none"}).decode()
    return f"{header}.{id_token.split('.')[1]}."


def _by_the_secret(id_token: str, client: Client) -> str:
    return jwt.encode({"alg": "HS256"}, claims_of(id_token), OctKey.import_key(client.client_secret or ""))


def _by_another(id_token: str, _: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": "another"}, claims_of(id_token), RSAKey.generate_key(2048))


@either
@pytest.mark.parametrize("forge", [_unsigned, _by_the_secret, _by_another])
async def test_a_hint_with_a_wrong_signature_gets_no_redirect(suite: Suite, forge: Any) -> None:
    """The modules modified-id-token-hint and bad-id-token-hint."""
    client, login = await log_in(suite)
    forged = forge(login.id_token, client)
    page = await log_out(suite, id_token_hint=forged, post_logout_redirect_uri=POST_LOGOUT, state=STATE)
    assert not is_redirect(page)


@either
@pytest.mark.parametrize("change", ["bad", "query-added"])
async def test_an_unregistered_post_logout_redirect_uri_gets_no_redirect(suite: Suite, change: str) -> None:
    _, login = await log_in(suite)
    uri = f"{POST_LOGOUT}?foo=bar" if change == "query-added" else f"{POST_LOGOUT}/elsewhere"
    page = await log_out(suite, id_token_hint=login.id_token, post_logout_redirect_uri=uri, state=STATE)
    assert not is_redirect(page)
    assert 'id="error"' in page.text


@either
async def test_no_id_token_hint(suite: Suite) -> None:
    """There is no redirect even to a registered address, with or without client_id."""
    client, _ = await log_in(suite)
    for named in ({}, {"client_id": client.client_id}):
        page = await log_out(suite, post_logout_redirect_uri=POST_LOGOUT, state=STATE, **named)
        assert not is_redirect(page)


@either
@pytest.mark.parametrize("module", ["no-params", "only-state", "no-post-logout-redirect-uri"])
async def test_without_a_post_logout_redirect_uri_a_page_is_shown(suite: Suite, module: str) -> None:
    client, login = await log_in(suite)
    match module:
        case "no-params":
            page = await log_out(suite)
        case "only-state":
            page = await log_out(suite, state=STATE)
        case _:
            page = await log_out(suite, id_token_hint=login.id_token, state=STATE)
    assert (page.status_code, is_redirect(page)) == (200, False)
    assert "You are signed out" in page.text
    assert not await is_signed_in(suite, client)
