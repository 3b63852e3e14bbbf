"""What those who watch an API are told about how well it follows its issuer."""

from collections.abc import AsyncIterator

import pytest

from tallystick.errors import InvalidToken
from tallystick.fastapi import Tallystick
from tallystick.followed import Followed
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


def test_before_the_start_nothing_is_known(auth: Tallystick) -> None:
    failed = {"jwks": 0, "status_list": 0, "status_list_aggregation": 0}
    assert auth.followed() == Followed(0, {}, 0, failed, 0, is_failing_closed=True)


async def test_an_issuer_that_is_away_from_the_start_gets_older(auth: Tallystick, issuer: TokenIssuer) -> None:
    issuer.is_away = True
    issuer.clock.advance(seconds=31)
    followed = auth.followed()
    assert (followed.keys_age, followed.list_ages, followed.status_age) == (31, {}, 31)


async def test_an_issuer_without_lists_has_no_old_ones(auth: Tallystick, issuer: TokenIssuer) -> None:
    await auth.verifier.verify(issuer.access_token())
    await until(lambda: auth.followed().status_age is None)
    issuer.clock.advance(seconds=31)
    assert auth.followed().status_age is None


async def test_ages_refusals_and_failures_are_told(auth: Tallystick, issuer: TokenIssuer) -> None:
    issuer.publish_list().revoke(9)
    await auth.verifier.verify(issuer.access_token(status=status(1)))
    for _ in range(2):
        with pytest.raises(InvalidToken):
            await auth.verifier.verify(issuer.access_token(status=status(9)))
    followed = auth.followed()
    assert (followed.keys_age, followed.list_ages, followed.refused_by_status) == (0, {STATUS_LIST_URI: 0}, 2)
    assert not followed.is_failing_closed
    issuer.is_away = True
    issuer.clock.advance(seconds=31)
    await until(
        lambda: auth.followed().failed_fetches["jwks"] > 1 and auth.followed().failed_fetches["status_list"] > 1
    )
    followed = auth.followed()
    assert (followed.keys_age, followed.list_ages, followed.status_age) == (31, {STATUS_LIST_URI: 31}, 31)
    assert followed.is_failing_closed


async def test_a_list_that_never_came_has_no_age(auth: Tallystick, issuer: TokenIssuer) -> None:
    issuer.publish_list().status = 500
    await auth.verifier.verify(issuer.access_token())
    await until(lambda: auth.followed().list_ages == {STATUS_LIST_URI: None})
    issuer.clock.advance(seconds=7)
    assert auth.followed().status_age == 7
    assert auth.followed().is_failing_closed
