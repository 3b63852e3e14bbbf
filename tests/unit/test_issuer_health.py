"""The ages and failures that an API reports about its issuer."""

from collections.abc import AsyncIterator

import pytest

from tallystick.errors import InvalidToken
from tallystick.fastapi import IssuerHealth, Tallystick
from tests.support.token_issuer import AUDIENCE, ISSUER, STATUS_LIST_URI, TokenIssuer, status
from tests.support.waiting import until


@pytest.fixture
async def auth(issuer: TokenIssuer) -> AsyncIterator[Tallystick]:
    auth = Tallystick(
        ISSUER,
        AUDIENCE,
        status_policy="fail_closed",
        status_max_age=30,
        follow_every=0.01,
        clock=issuer.clock,
        transport=issuer.transport,
    )
    yield auth
    await auth.aclose()


def test_health_before_the_first_fetch_has_no_ages(auth: Tallystick) -> None:
    failed = {"jwks": 0, "status_list": 0, "status_list_aggregation": 0}
    assert auth.health() == IssuerHealth(0, {}, 0, failed, 0, is_failing_closed=True)


async def test_ages_count_from_the_start_while_the_issuer_never_answered(auth: Tallystick, issuer: TokenIssuer) -> None:
    issuer.is_away = True
    issuer.clock.advance(seconds=31)
    health = auth.health()
    assert (health.keys_age, health.list_ages, health.status_age) == (31, {}, 31)


async def test_issuer_without_status_lists_has_no_status_age(auth: Tallystick, issuer: TokenIssuer) -> None:
    await auth.verify(issuer.access_token())
    await until(lambda: auth.health().status_age is None)
    issuer.clock.advance(seconds=31)
    assert auth.health().status_age is None


async def test_health_has_ages_refusals_and_failed_fetches(auth: Tallystick, issuer: TokenIssuer) -> None:
    issuer.publish_list().revoke(9)
    await auth.verify(issuer.access_token(status=status(1)))
    for _ in range(2):
        with pytest.raises(InvalidToken):
            await auth.verify(issuer.access_token(status=status(9)))
    health = auth.health()
    assert (health.keys_age, health.list_ages, health.refused_by_status) == (0, {STATUS_LIST_URI: 0}, 2)
    assert not health.is_failing_closed
    issuer.is_away = True
    issuer.clock.advance(seconds=31)
    await until(lambda: auth.health().failed_fetches["jwks"] > 1 and auth.health().failed_fetches["status_list"] > 1)
    health = auth.health()
    assert (health.keys_age, health.list_ages, health.status_age) == (31, {STATUS_LIST_URI: 31}, 31)
    assert health.is_failing_closed


async def test_list_that_was_never_fetched_has_no_age(auth: Tallystick, issuer: TokenIssuer) -> None:
    issuer.publish_list().status = 500
    await auth.verify(issuer.access_token())
    await until(lambda: auth.health().list_ages == {STATUS_LIST_URI: None})
    issuer.clock.advance(seconds=7)
    assert auth.health().status_age == 7
    assert auth.health().is_failing_closed
