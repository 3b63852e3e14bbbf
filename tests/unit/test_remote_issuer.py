"""One background task keeps the keys and status lists of an issuer fresh."""

import asyncio

import pytest

from tallystick.errors import TemporarilyUnavailable
from tallystick.remote import issuer as module
from tallystick.remote.document import COOLDOWN_SECONDS
from tallystick.remote.issuer import RemoteIssuer
from tallystick.status_list import StatusReference
from tests.support.token_issuer import ISSUER, TokenIssuer
from tests.support.waiting import until


def remote_issuer(issuer: TokenIssuer, follow_every: float = 0.01) -> RemoteIssuer:
    return RemoteIssuer(ISSUER, clock=issuer.clock, transport=issuer.transport, follow_every=follow_every)


async def test_background_task_refreshes_keys_and_lists(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    remote = remote_issuer(issuer)
    remote.start()
    first = issuer.key.kid
    await until(lambda: remote.keys is not None and first in remote.keys)
    issuer.rotate()
    published.revoke(9)
    await until(lambda: remote.keys is not None and first not in remote.keys)
    assert remote.key_set.get(issuer.key.kid)
    await until(lambda: all(cached.held and cached.held.status(9) for cached in remote.status_lists))
    await remote.aclose()


async def test_issuer_that_starts_late_is_retried(issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_KEYS_INTERVAL", 0.01)
    issuer.is_away = True
    remote = remote_issuer(issuer, 3600)
    remote.start()
    with pytest.raises(TemporarilyUnavailable):
        await remote.key_set.look_up(issuer.key.kid)
    issuer.is_away = False
    await until(lambda: bool(remote.keys))
    await remote.aclose()


def test_start_works_on_a_second_event_loop(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    remote = remote_issuer(issuer, 3600)

    async def use() -> int:
        remote.start()
        assert issuer.key.kid in await remote.key_set.look_up(issuer.key.kid)
        await remote.status_lists.look_up(StatusReference(idx=9, uri=published.uri))
        (cached,) = remote.status_lists
        await cached.refresh()
        assert cached.held
        return cached.held.status(9)

    assert asyncio.run(use()) == 0
    issuer.clock.advance(seconds=COOLDOWN_SECONDS)
    issuer.rotate()
    published.revoke(9)
    assert asyncio.run(use()) == 1


async def test_aclose_leaves_no_task(issuer: TokenIssuer) -> None:
    tasks = asyncio.all_tasks()
    published = issuer.publish_list()
    remote = remote_issuer(issuer)
    remote.start()
    await remote.key_set.look_up(issuer.key.kid)
    published.gate.clear()
    await until(lambda: bool(published.requests))
    await remote.aclose()
    assert asyncio.all_tasks() == tasks


@pytest.mark.parametrize("follow_every", [0, -1, float("nan")])
def test_follow_every_that_is_not_above_zero_is_refused(issuer: TokenIssuer, follow_every: float) -> None:
    with pytest.raises(ValueError, match="follow_every"):
        remote_issuer(issuer, follow_every)
