"""private_key_jwt at the endpoints (RFC 7523 §3, OIDC Core §9). Its rules: tests/unit/test_client_assertion.py."""

from collections.abc import AsyncIterator

import pytest

from auth_service.store.clients import clients
from tests.support.asserting_client import (
    JWT_BEARER,
    REFUSED,
    AssertingClient,
    KeysHost,
    ask,
    new_key,
    present,
    running,
)
from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import secret_of
from tests.support.relying_party import basic, error_of
from tests.support.token_issuer import ABSENT


@pytest.fixture
def signer(clock: MovableClock) -> AssertingClient:
    return AssertingClient("signer", clock)


@pytest.fixture
async def auth(auth_database_url: str, clock: MovableClock, signer: AssertingClient) -> AsyncIterator[AuthService]:
    async with running(auth_database_url, clock, signer.declared()) as running_service:
        yield running_service


@pytest.mark.parametrize(("alg", "kid"), [("ES256", "k1"), ("RS256", None), ("PS256", "k1"), ("EdDSA", None)])
async def test_client_authenticates_with_each_algorithm(
    auth_sqlite_url: str, clock: MovableClock, alg: str, kid: str | None
) -> None:
    signer = AssertingClient("signer", clock, new_key(alg, kid), alg)
    async with running(auth_sqlite_url, clock, signer.declared()) as auth:
        assert await present(auth, signer) == (200, "")
        assert await present(auth, AssertingClient("signer", clock, new_key(alg, kid), alg)) == REFUSED


async def test_client_registered_for_one_algorithm_may_use_no_other(auth_sqlite_url: str, clock: MovableClock) -> None:
    key = new_key("RS256")
    signer = AssertingClient("signer", clock, key, "PS256")
    async with running(auth_sqlite_url, clock, signer.declared(token_endpoint_auth_signing_alg="PS256")) as auth:
        assert await present(auth, signer) == (200, "")
        assert await present(auth, AssertingClient("signer", clock, key, "RS256")) == REFUSED


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "bot"},
        {"iss": "spa"},
        {"iss": "nobody"},
        {"iss": "signer\u0000"},
        {"sub": "bot"},
        {"aud": "https://other.example.com"},
        {"exp": ABSENT},
        {"exp": 1_800_000_000 - 61},
        {"exp": 1_800_000_000 + 3661},
        {"exp": 10**400},
        {"iat": 1_800_000_061},
        {"jti": "j" * 257},
    ],
    ids=lambda claims: str(claims)[:60],
)
async def test_one_fault_in_the_claims_is_invalid_client(
    auth: AuthService, signer: AssertingClient, claims: dict[str, object]
) -> None:
    assert await present(auth, signer, signer.assertion(**claims)) == REFUSED
    assert await present(auth, signer) == (200, "")


async def test_url_in_the_header_is_not_fetched(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient
) -> None:
    keys = KeysHost()
    async with running(auth_sqlite_url, clock, signer.declared(), keys=keys) as auth:
        for name, value in (("jku", "https://evil.example/k"), ("x5u", "https://evil.example/c"), ("kid", "unknown")):
            assert await present(auth, signer, signer.assertion({name: value})) == REFUSED
    assert keys.urls == []


@pytest.mark.parametrize("text", ["x", "..", "a" * 9000, "é.é.é"])
async def test_text_that_is_no_jwt_is_invalid_client(auth: AuthService, signer: AssertingClient, text: str) -> None:
    assert await present(auth, signer, text) == REFUSED


async def test_every_refusal_has_the_same_response(auth: AuthService, signer: AssertingClient) -> None:
    used = signer.assertion()
    assert await present(auth, signer, used) == (200, "")
    bodies = {
        (await ask(auth, signer.fields(assertion))).content
        for assertion in (
            used,
            "x",
            AssertingClient("nobody", auth.clock).assertion(),
            AssertingClient("signer", auth.clock).assertion(),
            AssertingClient("bot", auth.clock).assertion(),
            signer.assertion(exp=0),
            signer.assertion(aud="https://other.example.com"),
        )
    }
    bodies.add((await ask(auth, {"grant_type": "client_credentials"}, Authorization=basic("bot", "wrong"))).content)
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, REFUSED),
        ({"client_assertion_type": JWT_BEARER.upper()}, REFUSED),
        ({"client_assertion_type": ""}, (400, "invalid_request")),
        ({"client_assertion": ""}, (400, "invalid_request")),
        ({"client_secret": "s" * 40}, (400, "invalid_request")),
        ({"client_id": "bot"}, REFUSED),
        ({"client_id": "nobody"}, REFUSED),
    ],
)
async def test_an_invalid_parameter_besides_the_assertion_is_refused(
    auth: AuthService, signer: AssertingClient, changes: dict[str, str], refusal: tuple[int, str]
) -> None:
    assert (await ask(auth, signer.fields(client_id="signer"))).status_code == 200
    fields = signer.fields(client_id="signer") | changes
    assert error_of(await ask(auth, fields)) == refusal


async def test_assertion_with_an_authorization_header_is_invalid_request(
    auth: AuthService, signer: AssertingClient
) -> None:
    for authorization in (basic("signer", "x"), basic("bot", secret_of("bot")), "Bearer x", ""):
        response = await ask(auth, signer.fields(), Authorization=authorization)
        assert error_of(response) == (400, "invalid_request")


async def test_client_of_private_key_jwt_may_use_no_other_method(auth: AuthService) -> None:
    grant = {"grant_type": "client_credentials"}
    assert error_of(await ask(auth, grant | {"client_id": "signer"})) == REFUSED
    assert error_of(await ask(auth, grant | {"client_id": "signer", "client_secret": "x"})) == REFUSED
    assert error_of(await ask(auth, grant, Authorization=basic("signer", ""))) == REFUSED


@pytest.mark.postgresql
async def test_assertion_is_accepted_at_revoke_and_introspect(auth: AuthService, signer: AssertingClient) -> None:
    token = (await ask(auth, signer.fields())).json()["access_token"]
    active = await ask(auth, signer.fields(token=token), "/introspect")
    assert active.json()["active"] is True
    assert (await ask(auth, signer.fields(token=token), "/revoke")).status_code == 200
    revoked = await ask(auth, signer.fields(token=token), "/introspect")
    assert revoked.json() == {"active": False}
    for path in ("/introspect", "/revoke"):
        assert error_of(await ask(auth, signer.fields("x", token=token), path)) == REFUSED


@pytest.mark.postgresql
async def test_disabled_client_is_refused(auth: AuthService, signer: AssertingClient) -> None:
    await auth.store.write(clients.disable_client, "signer", by="command", now=auth.clock())
    assert await present(auth, signer) == REFUSED  # also while this process has the client in its cache
    await auth.look_again()
    assert await present(auth, signer) == REFUSED
