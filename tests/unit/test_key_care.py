"""Keys rotate by themselves: when it is due, once however many processes look, and whatever their clocks say."""

import asyncio
import dataclasses
import json

import pytest
from sqlalchemy import update

from auth_service.keys.bootstrap import bootstrap
from auth_service.keys.generation import make_key
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.lifecycle import MOST_RETIRED, forgotten
from auth_service.keys.master_key import MasterKey
from auth_service.store.keys import keys
from auth_service.store.keys.keys import DESTROYED, StoredKey
from auth_service.store.schema.tables import signing_keys
from auth_service.vocabulary.algorithms import SIGNING_ALGS
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store, StoreUnavailable
from tests.support.clock import MovableClock

AHEAD, KEPT, LIFETIME, REMEMBERED = 60, 360, 86_400, 500_000
KNOWN_FOR = 8
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
    return [row for row in await store.read(keys.load_all) if row.alg == alg]


async def published(ring: KeyRing) -> set[str]:
    return {jwk["kid"] for jwk in json.loads(await ring.jwks())["keys"] if jwk["alg"] == "ES256"}


async def test_a_successor_is_published_ahead_of_its_time_and_then_signs(ring: KeyRing, clock: MovableClock) -> None:
    first = (await ring.signing_key()).kid
    clock.advance(seconds=LIFETIME - AHEAD - 1)
    await ring.take_care()
    assert await published(ring) == {first}
    clock.advance(seconds=1)
    await ring.take_care()
    (successor,) = await published(ring) - {first}
    assert (await ring.signing_key()).kid == first
    clock.advance(seconds=AHEAD)
    assert (await ring.signing_key()).kid == successor


async def test_each_algorithm_rotates_when_its_own_key_is_due(ring: KeyRing, store: Store, clock: MovableClock) -> None:
    clock.advance(seconds=LIFETIME // 2)
    await ring.rotate("RS256")
    clock.advance(seconds=LIFETIME // 2)
    await ring.take_care()
    assert [len(await rows_of(store, alg)) for alg in SIGNING_ALGS] == [2, 2]
    assert (await rows_of(store, "RS256"))[-1].signs_from < clock() - LIFETIME // 4


async def test_without_a_lifetime_only_a_command_rotates(store: Store, clock: MovableClock) -> None:
    await bootstrap(store, MASTER_KEY, clock)
    ring = KeyRing(store, MASTER_KEY, clock=clock, ahead=AHEAD, keep_published=KEPT, lifetime=0, remembered=REMEMBERED)
    clock.advance(seconds=10 * LIFETIME)
    await ring.take_care()
    assert len(await rows_of(store)) == 1


async def test_of_many_processes_one_rotates_and_all_follow(ring: KeyRing, store: Store, clock: MovableClock) -> None:
    """Even those whose clocks are so far apart that the one does not take the other's key for one that waits."""
    clocks = [MovableClock(clock() + LIFETIME + skew) for skew in (0, 0, 30, -30, 2 * AHEAD)]
    processes = [process(store, its) for its in clocks]
    for one in processes:
        await one.signing_key()
    await asyncio.gather(*(one.take_care() for one in processes))
    first, successor = await rows_of(store)
    for its in clocks:
        its.advance(seconds=2)
    for one in processes:
        await one.take_care()
        assert await published(one) == {first.kid, successor.kid}
    for its in clocks:
        its.advance(seconds=5 * AHEAD)
    assert {(await one.signing_key()).kid for one in processes} == {successor.kid}


@pytest.mark.parametrize("skew", [30, 60])
async def test_a_process_ahead_of_the_others_does_not_sign_before_the_apis_can_know_the_key(
    ring: KeyRing, store: Store, clock: MovableClock, skew: int
) -> None:
    """`ahead` at its shortest is shorter than that skew: by its clock the new key's time has come at once."""
    behind, fast = process(store, clock, ahead=10), MovableClock(clock() + skew)
    ahead_of_us = process(store, fast, ahead=10)
    old = (await ahead_of_us.signing_key()).kid
    new = await behind.rotate()
    for _ in range(KNOWN_FOR):
        fast.advance(seconds=1)
        assert (await ahead_of_us.signing_key()).kid == old
        assert new in await published(ahead_of_us)
    fast.advance(seconds=1)
    assert (await ahead_of_us.signing_key()).kid == new


async def test_a_process_that_starts_beside_a_young_key_signs_with_the_one_before(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    old = (await ring.signing_key()).kid
    new = await process(store, clock, ahead=10).rotate()
    just_started = MovableClock(clock() + 30)
    starting = process(store, just_started)
    assert (await starting.signing_key()).kid == old
    just_started.advance(seconds=KNOWN_FOR)
    assert (await starting.signing_key()).kid == new


async def test_a_key_that_was_withdrawn_by_a_clock_ahead_of_ours_leaves_nobody_without_one(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    stolen = (await ring.signing_key()).kid
    assert await process(store, MovableClock(clock() + 30)).withdraw(stolen)
    clock.advance(seconds=1)
    key = await ring.signing_key()
    assert key.kid != stolen
    assert await published(ring) == {key.kid}


async def test_a_key_that_was_withdrawn_by_a_clock_behind_leaves_nobody_without_one(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    stolen = await ring.rotate()
    clock.advance(seconds=AHEAD + KEPT)
    await ring.take_care()  # the key before it is destroyed
    assert stolen
    assert await process(store, MovableClock(clock() - 600)).withdraw(stolen)
    clock.advance(seconds=1)
    await ring.take_care()
    assert (await ring.signing_key()).kid != stolen
    assert stolen not in await published(ring)


async def test_where_nobody_can_sign_a_key_is_made(ring: KeyRing, store: Store, clock: MovableClock) -> None:
    await store.write(lambda connection: connection.execute(update(signing_keys).values(withdrawn_at=1)).rowcount)
    clock.advance(seconds=1)
    with pytest.raises(TemporarilyUnavailable):
        await ring.signing_key()
    await ring.take_care()
    assert await ring.signing_key()


async def test_a_withdrawal_is_heard_of_at_the_next_look_after_one_that_failed(
    ring: KeyRing, store: Store, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = process(store, clock)
    stolen = (await elsewhere.signing_key()).kid
    clock.advance(seconds=1)
    with monkeypatch.context() as patched:
        patched.setattr(store, "read", _away)
        await elsewhere.take_care()
    assert await ring.withdraw(stolen)
    await elsewhere.take_care()
    assert stolen not in await published(elsewhere)


async def _away(*_: object, **__: object) -> None:
    raise StoreUnavailable("it did not answer in time")


async def test_shorter_lifetimes_do_not_take_a_key_from_tokens_that_live_longer(
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
    # The next one has signed under the shorter ones only.
    await restarted.rotate()
    clock.advance(seconds=AHEAD + KEPT)
    assert new not in await published(restarted)


async def test_longer_lifetimes_are_written_down_before_anything_is_signed_under_them(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    longer = 3600 + 60
    await bootstrap(store, MASTER_KEY, clock, keep_published=longer)
    assert {row.keep_published for row in await store.read(keys.load_all)} == {longer}
    # A process of the shorter ones publishes a key; one of the longer ones will sign with it, too.
    await ring.rotate()
    await process(store, clock, kept=longer).take_care()
    assert {row.keep_published for row in await rows_of(store)} == {longer}


async def test_the_private_half_of_a_retired_key_is_destroyed_and_of_a_published_one_is_not(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    await ring.rotate()
    clock.advance(seconds=AHEAD + KEPT - 1)
    await ring.take_care()
    assert DESTROYED not in [row.private_key for row in await rows_of(store)]
    clock.advance(seconds=1)
    await ring.take_care()
    assert [row.private_key == DESTROYED for row in await rows_of(store)] == [True, False]
    clock.advance(seconds=1)
    assert len(await ring.hint_keys()) == 3  # it still checks hints
    await bootstrap(store, MASTER_KEY, clock)  # and hinders no start


async def test_the_private_half_of_a_withdrawn_key_is_destroyed_at_once(ring: KeyRing, store: Store) -> None:
    stolen = (await ring.signing_key()).kid
    await ring.withdraw(stolen)
    assert [row.kid for row in await rows_of(store) if row.private_key == DESTROYED] == [stolen]


async def test_what_was_retired_or_withdrawn_long_ago_is_forgotten(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    waiting = await ring.rotate()
    assert waiting is not None
    await ring.withdraw(waiting)
    await ring.withdraw((await ring.signing_key()).kid)
    await ring.rotate()
    clock.advance(seconds=AHEAD + KEPT + REMEMBERED - 1)
    await ring.take_care()  # there is a rotation in this, too
    assert len(await rows_of(store)) == 4 + 1 - 2
    clock.advance(seconds=1 + AHEAD)
    await ring.take_care()
    assert len(await rows_of(store)) == 2
    assert (await ring.signing_key()).kid


def test_however_often_somebody_rotates_the_keys_that_are_remembered_are_bounded() -> None:
    one = make_key(MASTER_KEY, "ES256", published_at=0, signs_from=0, keep_published=KEPT)
    rows = [dataclasses.replace(one, kid=str(number), signs_from=number, published_at=number) for number in range(1000)]
    now = 1000 + KEPT
    gone = forgotten(rows, now=now, remembered=REMEMBERED)
    assert gone == [str(number) for number in range(999 - MOST_RETIRED)]
