"""Signing keys rotate when they are due, once for all processes, also when the clocks of the processes differ."""

import asyncio
import dataclasses
import json

import pytest
from sqlalchemy import update

from auth_service.keys.bootstrap import bootstrap
from auth_service.keys.generation import make_key
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.lifecycle import MAX_RETIRED, keys_to_delete
from auth_service.keys.master_key import MasterKey
from auth_service.store.keys import signing_keys
from auth_service.store.keys.signing_keys import DESTROYED, StoredKey
from auth_service.store.schema import tables
from auth_service.vocabulary.algorithms import SIGNING_ALGS
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store, StoreUnavailable
from tests.support.clock import MovableClock

AHEAD, KEPT, LIFETIME, REMEMBERED = 60, 360, 86_400, 500_000
SEEN_SECONDS = 8
MASTER_KEY = MasterKey.load("A" * 43, may_create=False)


@pytest.fixture
async def ring(store: Store, clock: MovableClock) -> KeyRing:
    await bootstrap(store, MASTER_KEY, clock, keep_published=KEPT)
    return process(store, clock)


def process(store: Store, clock: MovableClock, *, kept: int = KEPT, ahead: int = AHEAD) -> KeyRing:
    return KeyRing(
        store,
        MASTER_KEY,
        clock=clock,
        ahead=ahead,
        keep_published=kept,
        lifetime=LIFETIME,
        remembered=REMEMBERED,
    )


async def rows_of(store: Store, alg: str = "ES256") -> list[StoredKey]:
    return [row for row in await store.read(signing_keys.load_all) if row.alg == alg]


async def published(ring: KeyRing) -> set[str]:
    return {jwk["kid"] for jwk in json.loads(await ring.jwks())["keys"] if jwk["alg"] == "ES256"}


async def test_a_successor_is_published_before_it_signs(ring: KeyRing, clock: MovableClock) -> None:
    first = (await ring.signing_key()).kid
    clock.advance(seconds=LIFETIME - AHEAD - 1)
    await ring.maintain()
    assert await published(ring) == {first}
    clock.advance(seconds=1)
    await ring.maintain()
    (successor,) = await published(ring) - {first}
    assert (await ring.signing_key()).kid == first
    clock.advance(seconds=AHEAD)
    assert (await ring.signing_key()).kid == successor


async def test_each_algorithm_rotates_when_its_own_key_is_due(ring: KeyRing, store: Store, clock: MovableClock) -> None:
    clock.advance(seconds=LIFETIME // 2)
    await ring.rotate("RS256")
    clock.advance(seconds=LIFETIME // 2)
    await ring.maintain()
    assert [len(await rows_of(store, alg)) for alg in SIGNING_ALGS] == [2, 2]
    assert (await rows_of(store, "RS256"))[-1].signs_from < clock() - LIFETIME // 4


async def test_with_lifetime_zero_only_a_command_rotates(store: Store, clock: MovableClock) -> None:
    await bootstrap(store, MASTER_KEY, clock)
    ring = KeyRing(store, MASTER_KEY, clock=clock, ahead=AHEAD, keep_published=KEPT, lifetime=0, remembered=REMEMBERED)
    clock.advance(seconds=10 * LIFETIME)
    await ring.maintain()
    assert len(await rows_of(store)) == 1


async def test_concurrent_processes_rotate_once_and_use_the_same_key(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    """Also if, by the clock of one process, the key of another has started to sign already."""
    clocks = [MovableClock(clock() + LIFETIME + skew) for skew in (0, 0, 30, -30, 2 * AHEAD)]
    processes = [process(store, its_clock) for its_clock in clocks]
    for one in processes:
        await one.signing_key()
    await asyncio.gather(*(one.maintain() for one in processes))
    first, successor = await rows_of(store)
    for its_clock in clocks:
        its_clock.advance(seconds=2)
    for one in processes:
        await one.maintain()
        assert await published(one) == {first.kid, successor.kid}
    for its_clock in clocks:
        its_clock.advance(seconds=5 * AHEAD)
    assert {(await one.signing_key()).kid for one in processes} == {successor.kid}


@pytest.mark.parametrize("skew", [30, 60])
async def test_a_process_with_a_fast_clock_signs_only_after_it_has_seen_the_key_for_some_seconds(
    ring: KeyRing, store: Store, clock: MovableClock, skew: int
) -> None:
    """With the shortest `ahead` allowed, the fast clock is past `signs_from` when the key is published."""
    behind, fast = process(store, clock, ahead=10), MovableClock(clock() + skew)
    ahead_of_us = process(store, fast, ahead=10)
    old = (await ahead_of_us.signing_key()).kid
    new = await behind.rotate()
    for _ in range(SEEN_SECONDS):
        fast.advance(seconds=1)
        assert (await ahead_of_us.signing_key()).kid == old
        assert new in await published(ahead_of_us)
    fast.advance(seconds=1)
    assert (await ahead_of_us.signing_key()).kid == new


async def test_a_process_that_finds_a_young_key_at_its_start_signs_with_the_previous_key(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    old = (await ring.signing_key()).kid
    new = await process(store, clock, ahead=10).rotate()
    just_started = MovableClock(clock() + 30)
    starting = process(store, just_started)
    assert (await starting.signing_key()).kid == old
    just_started.advance(seconds=SEEN_SECONDS)
    assert (await starting.signing_key()).kid == new


async def test_a_withdrawal_by_a_fast_clock_leaves_a_signing_key(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    stolen = (await ring.signing_key()).kid
    assert await process(store, MovableClock(clock() + 30)).withdraw(stolen)
    clock.advance(seconds=1)
    key = await ring.signing_key()
    assert key.kid != stolen
    assert await published(ring) == {key.kid}


async def test_a_withdrawal_by_a_slow_clock_leaves_a_signing_key(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    stolen = await ring.rotate()
    clock.advance(seconds=AHEAD + KEPT)
    await ring.maintain()  # destroys the previous key
    assert stolen
    assert await process(store, MovableClock(clock() - 600)).withdraw(stolen)
    clock.advance(seconds=1)
    await ring.maintain()
    assert (await ring.signing_key()).kid != stolen
    assert stolen not in await published(ring)


async def test_a_missing_signing_key_is_added(ring: KeyRing, store: Store, clock: MovableClock) -> None:
    await store.write(
        lambda connection: connection.execute(update(tables.signing_keys).values(withdrawn_at=1)).rowcount
    )
    clock.advance(seconds=1)
    with pytest.raises(TemporarilyUnavailable):
        await ring.signing_key()
    await ring.maintain()
    assert await ring.signing_key()


async def test_a_withdrawal_is_seen_by_the_first_maintenance_after_a_failed_read(
    ring: KeyRing, store: Store, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = process(store, clock)
    stolen = (await elsewhere.signing_key()).kid
    clock.advance(seconds=1)
    with monkeypatch.context() as patched:
        patched.setattr(store, "read", _away)
        await elsewhere.maintain()
    assert await ring.withdraw(stolen)
    await elsewhere.maintain()
    assert stolen not in await published(elsewhere)


async def _away(*_: object, **__: object) -> None:
    raise StoreUnavailable("it did not answer in time")


async def test_a_key_stays_published_for_tokens_issued_under_longer_lifetimes(
    store: Store, clock: MovableClock
) -> None:
    longer = 3600 + 60
    await bootstrap(store, MASTER_KEY, clock, keep_published=longer)
    old = (await process(store, clock, kept=longer).signing_key()).kid
    restarted = process(store, clock)
    await bootstrap(store, MASTER_KEY, clock, keep_published=KEPT)
    new = await restarted.rotate()
    clock.advance(seconds=AHEAD + longer - 1)
    assert await published(restarted) == {old, new}
    clock.advance(seconds=1)
    assert await published(restarted) == {new}
    # The next key has signed under the shorter lifetimes only.
    await restarted.rotate()
    clock.advance(seconds=AHEAD + KEPT)
    assert new not in await published(restarted)


async def test_longer_lifetimes_are_stored_before_a_token_is_signed_under_them(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    longer = 3600 + 60
    await bootstrap(store, MASTER_KEY, clock, keep_published=longer)
    assert {row.keep_published for row in await store.read(signing_keys.load_all)} == {longer}
    # A process with the shorter lifetimes publishes a key, and a process with the longer ones will sign with it.
    await ring.rotate()
    await process(store, clock, kept=longer).maintain()
    assert {row.keep_published for row in await rows_of(store)} == {longer}


async def test_the_private_half_is_destroyed_when_the_key_retires(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    await ring.rotate()
    clock.advance(seconds=AHEAD + KEPT - 1)
    await ring.maintain()
    assert DESTROYED not in [row.private_key for row in await rows_of(store)]
    clock.advance(seconds=1)
    await ring.maintain()
    assert [row.private_key == DESTROYED for row in await rows_of(store)] == [True, False]
    clock.advance(seconds=1)
    assert len(await ring.hint_keys()) == 3  # it still verifies hints
    await bootstrap(store, MASTER_KEY, clock)  # a start with a destroyed key succeeds


async def test_the_private_half_of_a_withdrawn_key_is_destroyed_immediately(ring: KeyRing, store: Store) -> None:
    stolen = (await ring.signing_key()).kid
    await ring.withdraw(stolen)
    assert [row.kid for row in await rows_of(store) if row.private_key == DESTROYED] == [stolen]


async def test_rows_of_keys_retired_or_withdrawn_long_ago_are_deleted(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    waiting = await ring.rotate()
    assert waiting is not None
    await ring.withdraw(waiting)
    await ring.withdraw((await ring.signing_key()).kid)
    await ring.rotate()
    clock.advance(seconds=AHEAD + KEPT + REMEMBERED - 1)
    await ring.maintain()  # also publishes a successor
    assert len(await rows_of(store)) == 4 + 1 - 2
    clock.advance(seconds=1 + AHEAD)
    await ring.maintain()
    assert len(await rows_of(store)) == 2
    assert (await ring.signing_key()).kid


def test_the_number_of_retired_keys_is_bounded() -> None:
    one = make_key(MASTER_KEY, "ES256", published_at=0, signs_from=0, keep_published=KEPT)
    rows = [dataclasses.replace(one, kid=str(number), signs_from=number, published_at=number) for number in range(1000)]
    now = 1000 + KEPT
    deleted = keys_to_delete(rows, now=now, remembered=REMEMBERED)
    assert deleted == [str(number) for number in range(999 - MAX_RETIRED)]
