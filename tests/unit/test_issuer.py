"""One background task keeps what is known of an issuer fresh."""

import asyncio

import pytest

from tallystick.errors import TemporarilyUnavailable
from tallystick.remote import issuer as module
from tallystick.remote.issuer import RemoteIssuer
from tallystick.remote.shared_fetch import COOLDOWN
from tests.support.token_issuer import ISSUER, TokenIssuer
from tests.support.waiting import until


def follow(issuer: TokenIssuer, follow_every: float = 0.01) -> RemoteIssuer:
    return RemoteIssuer(ISSUER, clock=issuer.clock, transport=issuer.transport, follow_every=follow_every)


async def test_keys_and_lists_are_refreshed_without_being_asked_for(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    remote = follow(issuer)
    remote.keep_fresh()
    first = issuer.key.kid
    await until(lambda: first in remote.key_set.keys)
    issuer.rotate()
    published.revoke(9)
    await until(lambda: first not in remote.key_set.keys)
    assert issuer.key.kid in remote.key_set.keys
    await until(lambda: all(followed.held and followed.held.status(9) for followed in remote.status_lists))
    await remote.aclose()


async def test_an_issuer_that_starts_late_is_noticed(issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", 0.01)
    issuer.is_away = True
    remote = follow(issuer, 3600)
    remote.keep_fresh()
    with pytest.raises(TemporarilyUnavailable):
        await remote.key_set.seek(issuer.key.kid)
    issuer.is_away = False
    await until(lambda: bool(remote.key_set.keys))
    await remote.aclose()


def test_it_outlives_an_event_loop(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    remote = follow(issuer, 3600)

    async def use() -> int:
        remote.keep_fresh()
        assert issuer.key.kid in await remote.key_set.seek(issuer.key.kid)
        followed = await remote.status_lists.find(published.uri)
        assert followed
        await followed.fetching.join()
        assert followed.held
        return followed.held.status(9)

    assert asyncio.run(use()) == 0
    issuer.clock.advance(seconds=COOLDOWN)
    issuer.rotate()
    published.revoke(9)
    assert asyncio.run(use()) == 1


async def test_closing_leaves_no_task_behind(issuer: TokenIssuer) -> None:
    tasks = asyncio.all_tasks()
    published = issuer.publish_list()
    remote = follow(issuer)
    remote.keep_fresh()
    await remote.key_set.seek(issuer.key.kid)
    published.gate.clear()
    await until(lambda: bool(published.requests))
    await remote.aclose()
    assert asyncio.all_tasks() == tasks


@pytest.mark.parametrize("follow_every", [0, -1, float("nan")])
def test_a_time_that_is_none_stops_the_start(issuer: TokenIssuer, follow_every: float) -> None:
    with pytest.raises(ValueError, match="follow_every"):
        follow(issuer, follow_every)
