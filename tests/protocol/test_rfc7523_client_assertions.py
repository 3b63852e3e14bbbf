"""private_key_jwt (RFC 7523 §3, OIDC Core §9), signed by a library that is not ours: a good assertion, or one fault."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from auth_service.store.clients import client_assertions, clients
from tests.support.asserting_client import (
    JWT_BEARER,
    REFUSED,
    AssertingClient,
    KeysHost,
    ask,
    jwk_of,
    new_key,
    present,
    running,
)
from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER, secret_of
from tests.support.relying_party import answered, basic, error_of
from tests.support.token_issuer import ABSENT

TOKEN_ENDPOINT = f"{ISSUER}/token"


@pytest.fixture
def signer(clock: MovableClock) -> AssertingClient:
    return AssertingClient("signer", clock)


@pytest.fixture
async def auth(auth_database_url: str, clock: MovableClock, signer: AssertingClient) -> AsyncIterator[AuthService]:
    async with running(auth_database_url, clock, signer.declared()) as running_service:
        yield running_service


# Each algorithm


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "EdDSA"])
@pytest.mark.parametrize("kid", ["k1", None])
async def test_each_algorithm_with_and_without_a_kid(
    auth_database_url: str, clock: MovableClock, alg: str, kid: str | None
) -> None:
    signer = AssertingClient("signer", clock, new_key(alg, kid), alg)
    async with running(auth_database_url, clock, signer.declared()) as auth:
        assert await present(auth, signer) == (200, "")
        assert await present(auth, AssertingClient("signer", clock, new_key(alg, kid), alg)) == REFUSED


async def test_an_rsa_key_that_names_its_alg_is_for_that_one_only(auth_sqlite_url: str, clock: MovableClock) -> None:
    signer = AssertingClient("signer", clock, new_key("PS256", alg="PS256"), "PS256")
    async with running(auth_sqlite_url, clock, signer.declared()) as auth:
        assert await present(auth, signer) == (200, "")
        signer.alg = "RS256"
        signer.key = type(signer.key).import_key({**signer.key.as_dict(private=True), "alg": "RS256"})
        assert await present(auth, signer) == REFUSED


async def test_a_client_may_be_registered_for_one_algorithm(auth_sqlite_url: str, clock: MovableClock) -> None:
    key = new_key("RS256")
    signer = AssertingClient("signer", clock, key, "PS256")
    async with running(auth_sqlite_url, clock, signer.declared(token_endpoint_auth_signing_alg="PS256")) as auth:
        assert await present(auth, signer) == (200, "")
        assert await present(auth, AssertingClient("signer", clock, key, "RS256")) == REFUSED


async def test_of_several_keys_that_fit_each_is_tried_but_not_more_than_five(
    auth_sqlite_url: str, clock: MovableClock
) -> None:
    keys = [new_key("ES256", None) for _ in range(6)]
    signer = AssertingClient("signer", clock)
    jwks = {"keys": [jwk_of(new_key("RS256", None)), *map(jwk_of, keys)]}
    async with running(auth_sqlite_url, clock, signer.declared(jwks=jwks)) as auth:
        for key, expected in [(keys[0], (200, "")), (keys[4], (200, "")), (keys[5], REFUSED)]:
            signer.key = key
            assert await present(auth, signer) == expected


async def test_a_key_for_encryption_signs_nothing(auth_sqlite_url: str, clock: MovableClock) -> None:
    key, other = new_key("RS256", use="enc"), new_key("ES256", "k2")
    signer = AssertingClient("signer", clock, key, "RS256")
    async with running(auth_sqlite_url, clock, signer.declared(jwks={"keys": [jwk_of(key), jwk_of(other)]})) as auth:
        signer.key = type(key).import_key({name: v for name, v in key.as_dict(private=True).items() if name != "use"})
        assert await present(auth, signer) == REFUSED
        signer.key, signer.alg = other, "ES256"
        assert await present(auth, signer) == (200, "")


# The claims


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": TOKEN_ENDPOINT},
        {"aud": [ISSUER]},
        {"aud": [TOKEN_ENDPOINT]},
        {"aud": [TOKEN_ENDPOINT, ISSUER]},
        {"iat": ABSENT},
        {"iat": 1_800_000_060, "nbf": 1_800_000_060},
        {"exp": 1_800_000_000 - 60},
        {"exp": 1_800_000_000 + 3600},
        {"exp": 1_800_000_060.5},
        {"jti": "j" * 256},
        {"jti": "é\u0000"},
        {"unknown": {"claims": ["are", "ignored"]}},
    ],
    ids=str,
)
async def test_what_an_assertion_may_say(auth: AuthService, signer: AssertingClient, claims: dict[str, object]) -> None:
    assert await present(auth, signer, signer.assertion(**claims)) == (200, "")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": ABSENT},
        {"iss": "bot"},
        {"iss": "spa"},
        {"iss": "nobody"},
        {"iss": ["signer"]},
        {"iss": None},
        {"iss": ""},
        {"iss": "signer\u0000"},
        {"iss": "s" * 10_00},
        {"sub": ABSENT},
        {"sub": "bot"},
        {"sub": ["signer"]},
        {"sub": "Signer"},
        {"aud": ABSENT},
        {"aud": ""},
        {"aud": []},
        {"aud": None},
        {"aud": "https://other.example.com"},
        {"aud": f"{ISSUER}/"},
        {"aud": f"{ISSUER}/authorize"},
        {"aud": f"{ISSUER}/revoke"},
        {"aud": [ISSUER, "https://other.example.com"]},
        {"aud": ["https://other.example.com"]},
        {"aud": [ISSUER, 5]},
        {"aud": {"a": ISSUER}},
        {"exp": ABSENT},
        {"exp": None},
        {"exp": "1800000060"},
        {"exp": True},
        {"exp": 1_800_000_000 - 61},
        {"exp": 1_800_000_000 + 3661},
        {"exp": 10**400},
        {"exp": 1e300},
        {"exp": -1},
        {"iat": 1_800_000_061},
        {"iat": "1800000000"},
        {"nbf": 1_800_000_061},
        {"nbf": [1]},
        {"jti": ABSENT},
        {"jti": ""},
        {"jti": None},
        {"jti": 5},
        {"jti": "j" * 257},
    ],
    ids=lambda claims: str(claims)[:60],
)
async def test_one_fault_in_the_claims_is_invalid_client(
    auth: AuthService, signer: AssertingClient, claims: dict[str, object]
) -> None:
    assert await present(auth, signer, signer.assertion(**claims)) == REFUSED
    assert await present(auth, signer) == (200, "")


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"},
        {"typ": "logout+jwt"},
        {"kid": "unknown"},
        {"kid": ""},
        {"jku": "https://evil.example/keys"},
        {"jwk": {"kty": "EC"}},
        {"x5u": "https://evil.example/cert"},
    ],
    ids=str,
)
async def test_one_fault_in_the_header_is_invalid_client(
    auth_sqlite_url: str, clock: MovableClock, signer: AssertingClient, header: dict[str, object]
) -> None:
    keys = KeysHost()
    async with running(auth_sqlite_url, clock, signer.declared(), keys=keys) as auth:
        assert await present(auth, signer, signer.assertion({"typ": "client-authentication+jwt"})) == (200, "")
        assert await present(auth, signer, signer.assertion(header)) == REFUSED
    assert keys.urls == []  # nobody is asked because a token said so


async def test_what_is_no_jwt_is_invalid_client(auth: AuthService, signer: AssertingClient) -> None:
    good = signer.assertion()
    head, payload, signature = good.split(".")
    for text in (
        "x",
        "..",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature[:-4]}AAAA",
        f"{head}.{payload}.{signature}.{signature}",
        f"{good} ",
        good + "é",
        "a" * 9000,
        signer.sign('{"iss": "signer", "iss": "signer"}'),
        signer.sign("[]"),
        signer.sign("{" * 3000),
    ):
        assert await present(auth, signer, text) == REFUSED


async def test_every_refusal_is_one_and_the_same(auth: AuthService, signer: AssertingClient) -> None:
    used = signer.assertion()
    assert await present(auth, signer, used) == (200, "")
    stranger = AssertingClient("nobody", auth.clock)
    bodies = {
        (await ask(auth, signer.fields(assertion))).content
        for assertion in (
            used,
            "x",
            stranger.assertion(),
            AssertingClient("signer", auth.clock).assertion(),
            AssertingClient("bot", auth.clock).assertion(),
            signer.assertion(exp=0),
            signer.assertion(aud="https://other.example.com"),
        )
    }
    bodies.add((await ask(auth, {"grant_type": "client_credentials"}, Authorization=basic("bot", "wrong"))).content)
    assert len(bodies) == 1


# How it is presented


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
async def test_one_fault_beside_the_assertion(
    auth: AuthService, signer: AssertingClient, changes: dict[str, str], refusal: tuple[int, str]
) -> None:
    assert (await ask(auth, signer.fields(client_id="signer"))).status_code == 200
    fields = signer.fields(client_id="signer") | changes
    assert error_of(await ask(auth, fields)) == refusal


async def test_an_assertion_beside_an_authorization_header_is_twice(auth: AuthService, signer: AssertingClient) -> None:
    for authorization in (basic("signer", "x"), basic("bot", secret_of("bot")), "Bearer x", ""):
        response = await ask(auth, signer.fields(), Authorization=authorization)
        assert error_of(response) == (400, "invalid_request")


async def test_a_client_that_signs_is_not_believed_in_another_way(auth: AuthService) -> None:
    grant = {"grant_type": "client_credentials"}
    assert error_of(await ask(auth, grant | {"client_id": "signer"})) == REFUSED
    assert error_of(await ask(auth, grant | {"client_id": "signer", "client_secret": "x"})) == REFUSED
    assert error_of(await ask(auth, grant, Authorization=basic("signer", ""))) == REFUSED


async def test_it_serves_at_revoke_and_introspect_too(auth: AuthService, signer: AssertingClient) -> None:
    token = (await ask(auth, signer.fields())).json()["access_token"]
    active = await ask(auth, signer.fields(token=token), "/introspect")
    assert active.json()["active"] is True
    assert (await ask(auth, signer.fields(token=token), "/revoke")).status_code == 200
    dead = await ask(auth, signer.fields(token=token), "/introspect")
    assert dead.json() == {"active": False}
    for path in ("/introspect", "/revoke"):
        assert error_of(await ask(auth, signer.fields("x", token=token), path)) == REFUSED


async def test_a_disabled_client_is_refused(auth: AuthService, signer: AssertingClient) -> None:
    await auth.store.write(clients.disable_client, "signer", by="command", now=auth.clock())
    # Even where this process has not heard of it yet.
    assert await present(auth, signer) == REFUSED
    await auth.look_again()
    assert await present(auth, signer) == REFUSED


# Once


async def test_a_jti_counts_once(auth: AuthService, signer: AssertingClient) -> None:
    assertion = signer.assertion(jti="once")
    assert await present(auth, signer, assertion) == (200, "")
    assert await present(auth, signer, assertion) == REFUSED
    assert await present(auth, signer, signer.assertion(jti="once", exp=auth.clock() + 61)) == REFUSED
    auth.clock.advance(seconds=120)  # the last instant at which the exp is forgiven
    assert await present(auth, signer, assertion) == REFUSED
    assert error_of(await ask(auth, signer.fields(assertion, token="x"), "/introspect")) == REFUSED


async def test_of_twenty_at_once_one_counts(auth: AuthService, signer: AssertingClient) -> None:
    fields = signer.fields()
    responses = answered(await asyncio.gather(*(ask(auth, fields) for _ in range(20))))
    assert Counter(response.status_code for response in responses) == {200: 1, 401: len(responses) - 1}


async def test_of_two_processes_one_takes_it(
    auth_database_url: str, clock: MovableClock, signer: AssertingClient
) -> None:
    async with AsyncExitStack() as stack:
        here, there = [
            await stack.enter_async_context(running(auth_database_url, clock, signer.declared())) for _ in range(2)
        ]
        for _ in range(5):
            fields = signer.fields()
            both = answered(await asyncio.gather(*(ask(auth, fields) for auth in (here, there) * 4)))
            assert Counter(response.status_code for response in both) == {200: 1, 401: len(both) - 1}


async def test_one_clients_jti_is_not_anothers(auth_database_url: str, clock: MovableClock) -> None:
    one, two = AssertingClient("one", clock), AssertingClient("two", clock)
    async with running(auth_database_url, clock, one.declared(), two.declared()) as auth:
        assert await present(auth, one, one.assertion(jti="same")) == (200, "")
        assert await present(auth, two, two.assertion(jti="same")) == (200, "")


async def test_a_refused_assertion_uses_nothing_up(auth: AuthService, signer: AssertingClient) -> None:
    thief = AssertingClient("signer", auth.clock)
    for spoilt in (
        thief.assertion(jti="mine"),
        signer.assertion(jti="mine", aud="https://other.example.com"),
        signer.assertion(jti="mine", exp=0),
        signer.assertion(jti="mine", sub="bot"),
    ):
        assert await present(auth, signer, spoilt) == REFUSED
    assert await present(auth, signer, signer.assertion(jti="mine")) == (200, "")


async def test_jti_is_remembered_until_the_assertion_expires(auth: AuthService) -> None:
    now = auth.clock()

    async def spend(jti: bytes, *, at: int, expires_at: int) -> bool:
        return await auth.store.write(
            client_assertions.spend_assertion, "signer", jti * 32, expires_at=expires_at, now=at
        )

    assert await spend(b"a", at=now, expires_at=now + 10)
    assert not await spend(b"a", at=now + 9, expires_at=now + 10)
    assert await spend(b"b", at=now + 10, expires_at=now + 99)
    assert await spend(b"a", at=now + 10, expires_at=now + 99)


async def test_assertion_of_a_client_that_is_gone_is_not_spent(auth: AuthService) -> None:
    now = auth.clock()
    assert not await auth.store.write(
        client_assertions.spend_assertion, "nobody", b"a" * 32, expires_at=now + 10, now=now
    )
