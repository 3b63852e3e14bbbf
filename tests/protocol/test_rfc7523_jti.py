"""Each client assertion is accepted once, in all processes (RFC 7523 §3, `jti`)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from auth_service.store.clients import client_assertions
from tests.support.asserting_client import REFUSED, AssertingClient, ask, present, running
from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.relying_party import answered, error_of

pytestmark = pytest.mark.postgresql


@pytest.fixture
def signer(clock: MovableClock) -> AssertingClient:
    return AssertingClient("signer", clock)


@pytest.fixture
async def auth(auth_database_url: str, clock: MovableClock, signer: AssertingClient) -> AsyncIterator[AuthService]:
    async with running(auth_database_url, clock, signer.declared()) as running_service:
        yield running_service


async def test_jti_is_accepted_once(auth: AuthService, signer: AssertingClient) -> None:
    assertion = signer.assertion(jti="once")
    assert await present(auth, signer, assertion) == (200, "")
    assert await present(auth, signer, assertion) == REFUSED
    assert await present(auth, signer, signer.assertion(jti="once", exp=auth.clock() + 61)) == REFUSED
    auth.clock.advance(seconds=120)  # the last second in which the leeway accepts exp
    assert await present(auth, signer, assertion) == REFUSED
    assert error_of(await ask(auth, signer.fields(assertion, token="x"), "/introspect")) == REFUSED


async def test_longest_jti_and_one_with_nul_are_stored(auth: AuthService, signer: AssertingClient) -> None:
    for jti in ("j" * 256, "é\u0000"):
        assert await present(auth, signer, signer.assertion(jti=jti)) == (200, "")
        assert await present(auth, signer, signer.assertion(jti=jti)) == REFUSED


async def test_one_of_twenty_concurrent_uses_is_accepted(auth: AuthService, signer: AssertingClient) -> None:
    fields = signer.fields()
    responses = answered(await asyncio.gather(*(ask(auth, fields) for _ in range(20))))
    assert Counter(response.status_code for response in responses) == {200: 1, 401: len(responses) - 1}


async def test_one_use_in_two_processes_is_accepted(
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


async def test_two_clients_may_use_the_same_jti(auth_database_url: str, clock: MovableClock) -> None:
    one, two = AssertingClient("one", clock), AssertingClient("two", clock)
    async with running(auth_database_url, clock, one.declared(), two.declared()) as auth:
        assert await present(auth, one, one.assertion(jti="same")) == (200, "")
        assert await present(auth, two, two.assertion(jti="same")) == (200, "")


async def test_refused_assertion_does_not_use_up_its_jti(auth: AuthService, signer: AssertingClient) -> None:
    thief = AssertingClient("signer", auth.clock)
    for faulty in (
        thief.assertion(jti="mine"),
        signer.assertion(jti="mine", aud="https://other.example.com"),
        signer.assertion(jti="mine", exp=0),
        signer.assertion(jti="mine", sub="bot"),
    ):
        assert await present(auth, signer, faulty) == REFUSED
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


async def test_assertion_of_a_deleted_client_is_not_spent(auth: AuthService) -> None:
    now = auth.clock()
    assert not await auth.store.write(
        client_assertions.spend_assertion, "nobody", b"a" * 32, expires_at=now + 10, now=now
    )
