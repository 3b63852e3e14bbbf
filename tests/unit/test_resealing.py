"""Several master keys: all of them open, and which one seals the store decides, so that nothing is lost in a change."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from auth_service.keys.bootstrap import bootstrap, load_secret
from auth_service.keys.generation import make_key, open_key
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.keys.master_key_rotation import MasterKeyOnFile, Sealed, in_use, reseal
from auth_service.keys.service_secrets import SECRETS
from auth_service.store.keys import keys
from auth_service.store.keys.keys import Resealed
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store
from tests.support.clock import MovableClock

OLD, NEW, THIRD = "A" * 43, "B" * 42 + "A", "C" * 42 + "A"


def master_key(*several: str) -> MasterKey:
    return MasterKey.load(",".join(several), may_create=False)


@pytest.fixture
async def old_store(store: Store, clock: MovableClock) -> Store:
    await bootstrap(store, master_key(OLD), clock)
    return store


def ring_with(store: Store, clock: MovableClock, a_master_key: MasterKey) -> KeyRing:
    return KeyRing(store, a_master_key, clock=clock, ahead=10, keep_published=360, lifetime=0, remembered=7_776_000)


async def is_all_opened_by(store: Store, a_master_key: MasterKey) -> bool:
    try:
        for row in await store.read(keys.load_all):
            open_key(row, a_master_key)
        for name in SECRETS:
            await load_secret(store, a_master_key, name)
    except WrongMasterKey:
        return False
    return True


async def test_resealing_puts_all_under_the_first_key_and_a_second_time_does_nothing(old_store: Store) -> None:
    refresh_key = await load_secret(old_store, master_key(OLD), "refresh_key")
    assert await reseal(old_store, master_key(NEW, OLD), MovableClock()) == Sealed(anew=4, in_all=4)
    assert await is_all_opened_by(old_store, master_key(NEW))
    assert not await is_all_opened_by(old_store, master_key(OLD))
    assert await load_secret(old_store, master_key(NEW), "refresh_key") == refresh_key
    assert await reseal(old_store, master_key(NEW, OLD), MovableClock()) == Sealed(anew=0, in_all=4)
    assert await reseal(old_store, master_key(NEW), MovableClock()) == Sealed(anew=0, in_all=4)


async def test_a_key_that_does_not_open_everything_reseals_nothing(old_store: Store) -> None:
    with pytest.raises(WrongMasterKey):
        await reseal(old_store, master_key(NEW, THIRD), MovableClock())
    assert await is_all_opened_by(old_store, master_key(OLD))


async def test_until_it_is_resealed_the_store_stays_under_the_old_key_alone(
    old_store: Store, clock: MovableClock
) -> None:
    """So a process that has not been told the new one opens what a process that has been adds."""
    await ring_with(old_store, clock, master_key(NEW, OLD)).rotate()
    await bootstrap(old_store, master_key(NEW, OLD), clock)
    assert await is_all_opened_by(old_store, master_key(OLD))


@pytest.mark.parametrize("command", ["rotate", "withdraw"])
async def test_what_is_made_beside_a_resealing_is_under_the_key_that_is_kept(
    old_store: Store, clock: MovableClock, command: str
) -> None:
    """Both at once, again and again, each time with the next key."""
    several = [OLD, NEW, THIRD] * 4
    for old, new in pairwise(several):
        ring = ring_with(old_store, clock, master_key(old, new))
        signing = (await ring.signing_key()).kid
        making = ring.rotate() if command == "rotate" else ring.withdraw(signing)
        made, _ = await asyncio.gather(making, reseal(old_store, master_key(new, old), MovableClock()))
        assert made
        rows = [row for row in await old_store.read(keys.load_all) if row.private_key != keys.DESTROYED]
        assert [open_key(row, master_key(new)).kid for row in rows] == [row.kid for row in rows]
        clock.advance(seconds=20)


async def test_a_key_sealed_before_a_resealing_cannot_be_added_after_it(old_store: Store, clock: MovableClock) -> None:
    old, beside = await in_use(old_store, master_key(OLD))
    key = make_key(old, "ES256", published_at=clock(), signs_from=clock() + 10)
    await reseal(old_store, master_key(NEW, OLD), MovableClock())
    before = await old_store.read(keys.load_all)
    with pytest.raises(Resealed):
        await old_store.write(keys.add, key, beside=beside)
    (signing,) = [row.kid for row in before if row.alg == "ES256"]
    with pytest.raises(Resealed):
        await old_store.write(keys.withdraw, signing, key, now=clock(), beside=beside)
    assert await old_store.read(keys.load_all) == before


async def test_a_resealing_takes_along_what_was_added_since_it_read(old_store: Store, clock: MovableClock) -> None:
    rows = await old_store.read(keys.load_all)
    secrets = await old_store.read(keys.load_every_secret)
    await ring_with(old_store, clock, master_key(OLD)).rotate()
    was_done = await old_store.write(
        keys.reseal,
        signing={row.kid: (row.private_key, b"anew") for row in rows},
        secret={name: (sealed, b"anew") for name, sealed in secrets.items()},
        now=clock(),
    )
    assert not was_done
    assert await is_all_opened_by(old_store, master_key(OLD))


async def test_a_running_process_reads_the_file_again_when_something_does_not_open(
    store: Store, clock: MovableClock, tmp_path: Path
) -> None:
    file = tmp_path / "master.key"
    file.write_text(f"{OLD}\n")
    running = MasterKey.load(f"file:{file}", may_create=False)
    await bootstrap(store, running, clock)
    signing, making = (ring_with(store, clock, MasterKey.load(f"file:{file}", may_create=False)) for _ in range(2))
    file.write_text(f"{NEW}\n{OLD}\n")
    await reseal(store, master_key(NEW, OLD), MovableClock())
    new = await making.rotate()  # seals with it
    assert await is_all_opened_by(store, master_key(NEW))
    await signing.jwks()
    clock.advance(seconds=20)
    assert (await signing.signing_key()).kid == new  # opens with it


async def test_all_that_could_not_open_something_at_one_time_do_so_with_the_new_key(
    store: Store, clock: MovableClock, tmp_path: Path
) -> None:
    file = tmp_path / "master.key"
    file.write_text(OLD)
    await bootstrap(store, master_key(OLD), clock)
    running = MasterKeyOnFile(MasterKey.load(f"file:{file}", may_create=False), clock)
    file.write_text(f"{NEW}\n{OLD}\n")
    await reseal(store, master_key(NEW, OLD), clock)
    opened = await asyncio.gather(
        *(running.use(lambda known: load_secret(store, known, "refresh_key")) for _ in range(5))
    )
    assert opened == [await load_secret(store, master_key(NEW), "refresh_key")] * 5


async def test_a_process_that_is_not_told_the_new_key_goes_on_with_what_it_has_opened_and_then_says_so(
    store: Store, clock: MovableClock, tmp_path: Path
) -> None:
    file = tmp_path / "master.key"
    file.write_text(OLD)
    left_behind = MasterKey.load(f"file:{file}", may_create=False)
    await bootstrap(store, left_behind, clock)
    ring = ring_with(store, clock, left_behind)
    known = (await ring.signing_key()).kid
    await reseal(store, master_key(NEW, OLD), MovableClock())
    with pytest.raises(WrongMasterKey):
        await ring.rotate()
    await ring_with(store, clock, master_key(NEW)).rotate()
    clock.advance(seconds=1)
    assert (await ring.signing_key()).kid == known
    clock.advance(seconds=20)
    with pytest.raises(TemporarilyUnavailable):
        await ring.signing_key()
    file.write_text(f"{OLD}\nnot a key\n")
    clock.advance(seconds=1)
    with pytest.raises(TemporarilyUnavailable):
        await ring.signing_key()
    file.write_text(f"{OLD}\n{NEW}\n")
    clock.advance(seconds=1)
    assert (await ring.signing_key()).kid != known


async def test_of_two_first_starts_with_different_keys_the_later_is_refused_and_adds_nothing(
    store: Store, clock: MovableClock
) -> None:
    outcomes = await asyncio.gather(
        *(bootstrap(store, master_key(one), clock) for one in (OLD, NEW)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "WrongMasterKey"]
    assert [await is_all_opened_by(store, master_key(one)) for one in (OLD, NEW)].count(True) == 1
