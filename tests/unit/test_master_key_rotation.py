"""Several master keys: all decrypt, and the store decides which one encrypts, so that a change loses nothing."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from auth_service.keys.bootstrap import bootstrap, load_secret
from auth_service.keys.generation import decrypt_key, make_key
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.keys.master_key_rotation import Reencrypted, ReloadingMasterKey, active_master_key, reencrypt
from auth_service.keys.service_secrets import SECRETS
from auth_service.store.keys import reencryption, signing_keys, stored_secrets
from auth_service.store.keys.reencryption import Replacement
from auth_service.store.keys.stored_secrets import SecretsChanged
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store
from tests.support.clock import MovableClock

OLD, NEW, THIRD = "A" * 43, "B" * 42 + "A", "C" * 42 + "A"


def master_key(*keys: str) -> MasterKey:
    return MasterKey.load(",".join(keys), may_create=False)


@pytest.fixture
async def old_store(store: Store, clock: MovableClock) -> Store:
    await bootstrap(store, master_key(OLD), clock)
    return store


def ring_of(store: Store, clock: MovableClock, a_master_key: MasterKey) -> KeyRing:
    return KeyRing(store, a_master_key, clock=clock, ahead=10, keep_published=360, lifetime=0, remembered=7_776_000)


async def decrypts_everything(store: Store, a_master_key: MasterKey) -> bool:
    try:
        for row in await store.read(signing_keys.load_all):
            decrypt_key(row, a_master_key)
        for name in SECRETS:
            await load_secret(store, a_master_key, name)
    except WrongMasterKey:
        return False
    return True


async def test_reencryption_uses_the_first_key_and_a_second_one_changes_nothing(old_store: Store) -> None:
    refresh_key = await load_secret(old_store, master_key(OLD), "refresh_key")
    assert await reencrypt(old_store, master_key(NEW, OLD), MovableClock()) == Reencrypted(count=4, total=4)
    assert await decrypts_everything(old_store, master_key(NEW))
    assert not await decrypts_everything(old_store, master_key(OLD))
    assert await load_secret(old_store, master_key(NEW), "refresh_key") == refresh_key
    assert await reencrypt(old_store, master_key(NEW, OLD), MovableClock()) == Reencrypted(count=0, total=4)
    assert await reencrypt(old_store, master_key(NEW), MovableClock()) == Reencrypted(count=0, total=4)


async def test_with_keys_that_decrypt_nothing_the_store_is_unchanged(old_store: Store) -> None:
    with pytest.raises(WrongMasterKey):
        await reencrypt(old_store, master_key(NEW, THIRD), MovableClock())
    assert await decrypts_everything(old_store, master_key(OLD))


async def test_before_the_reencryption_new_values_are_encrypted_with_the_old_key(
    old_store: Store, clock: MovableClock
) -> None:
    """So a process without the new key decrypts what a process with both keys adds."""
    await ring_of(old_store, clock, master_key(NEW, OLD)).rotate()
    await bootstrap(old_store, master_key(NEW, OLD), clock)
    assert await decrypts_everything(old_store, master_key(OLD))


@pytest.mark.parametrize("command", ["rotate", "withdraw"])
async def test_a_key_added_during_a_reencryption_is_encrypted_with_the_new_key(
    old_store: Store, clock: MovableClock, command: str
) -> None:
    """Both run at the same time, repeatedly, each time with the next key."""
    master_keys = [OLD, NEW, THIRD] * 4
    for old, new in pairwise(master_keys):
        ring = ring_of(old_store, clock, master_key(old, new))
        signing = (await ring.signing_key()).kid
        change = ring.rotate() if command == "rotate" else ring.withdraw(signing)
        changed, _ = await asyncio.gather(change, reencrypt(old_store, master_key(new, old), MovableClock()))
        assert changed
        rows = [row for row in await old_store.read(signing_keys.load_all) if row.private_key != signing_keys.DESTROYED]
        assert [decrypt_key(row, master_key(new)).kid for row in rows] == [row.kid for row in rows]
        clock.advance(seconds=20)


async def test_a_key_encrypted_before_a_reencryption_cannot_be_added_after_it(
    old_store: Store, clock: MovableClock
) -> None:
    old, expected = await active_master_key(old_store, master_key(OLD))
    key = make_key(old, "ES256", published_at=clock(), signs_from=clock() + 10)
    await reencrypt(old_store, master_key(NEW, OLD), MovableClock())
    before = await old_store.read(signing_keys.load_all)
    with pytest.raises(SecretsChanged):
        await old_store.write(signing_keys.add, key, expected_secrets=expected)
    (signing,) = [row.kid for row in before if row.alg == "ES256"]
    with pytest.raises(SecretsChanged):
        await old_store.write(signing_keys.withdraw, signing, key, now=clock(), expected_secrets=expected)
    assert await old_store.read(signing_keys.load_all) == before


async def test_a_reencryption_is_refused_if_a_key_was_added_since_it_read(
    old_store: Store, clock: MovableClock
) -> None:
    rows = await old_store.read(signing_keys.load_all)
    secrets = await old_store.read(stored_secrets.load_secrets)
    await ring_of(old_store, clock, master_key(OLD)).rotate()
    was_done = await old_store.write(
        reencryption.reencrypt,
        private_keys={row.kid: Replacement(row.private_key, b"new") for row in rows},
        all_secrets={key: Replacement(encrypted, b"new") for key, encrypted in secrets.items()},
        now=clock(),
    )
    assert not was_done
    assert await decrypts_everything(old_store, master_key(OLD))


async def test_a_running_process_reloads_the_file_when_a_value_cannot_be_decrypted(
    store: Store, clock: MovableClock, tmp_path: Path
) -> None:
    file = tmp_path / "master.key"
    file.write_text(f"{OLD}\n")
    running = MasterKey.load(f"file:{file}", may_create=False)
    await bootstrap(store, running, clock)
    signing, adding = (ring_of(store, clock, MasterKey.load(f"file:{file}", may_create=False)) for _ in range(2))
    file.write_text(f"{NEW}\n{OLD}\n")
    await reencrypt(store, master_key(NEW, OLD), MovableClock())
    new = await adding.rotate()  # encrypts with it
    assert await decrypts_everything(store, master_key(NEW))
    await signing.jwks()
    clock.advance(seconds=20)
    assert (await signing.signing_key()).kid == new  # decrypts with it


async def test_concurrent_tasks_that_failed_to_decrypt_all_use_the_reloaded_key(
    store: Store, clock: MovableClock, tmp_path: Path
) -> None:
    file = tmp_path / "master.key"
    file.write_text(OLD)
    await bootstrap(store, master_key(OLD), clock)
    running = ReloadingMasterKey(MasterKey.load(f"file:{file}", may_create=False), clock)
    file.write_text(f"{NEW}\n{OLD}\n")
    await reencrypt(store, master_key(NEW, OLD), clock)
    opened = await asyncio.gather(
        *(running.use(lambda known: load_secret(store, known, "refresh_key")) for _ in range(5))
    )
    assert opened == [await load_secret(store, master_key(NEW), "refresh_key")] * 5


async def test_a_process_without_the_new_key_uses_the_decrypted_keys_and_then_is_unavailable(
    store: Store, clock: MovableClock, tmp_path: Path
) -> None:
    file = tmp_path / "master.key"
    file.write_text(OLD)
    without_new_key = MasterKey.load(f"file:{file}", may_create=False)
    await bootstrap(store, without_new_key, clock)
    ring = ring_of(store, clock, without_new_key)
    known = (await ring.signing_key()).kid
    await reencrypt(store, master_key(NEW, OLD), MovableClock())
    with pytest.raises(WrongMasterKey):
        await ring.rotate()
    await ring_of(store, clock, master_key(NEW)).rotate()
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


async def test_a_process_that_started_with_the_old_key_adds_no_signing_key_when_that_key_is_removed(
    store: Store, clock: MovableClock, tmp_path: Path
) -> None:
    file = tmp_path / "master.key"
    file.write_text(OLD)
    started_with_old = MasterKey.load(f"file:{file}", may_create=False)
    await bootstrap(store, started_with_old, clock)
    ring = ring_of(store, clock, started_with_old)
    signing = await ring.signing_key()
    await reencrypt(store, master_key(NEW, OLD), clock)
    file.write_text(NEW)
    reencrypted = await store.read(signing_keys.load_all)
    clock.advance(seconds=1)
    await ring.maintain()
    assert await ring.signing_key() == signing
    assert await store.read(signing_keys.load_all) == reencrypted


async def test_of_two_first_starts_with_different_keys_the_later_fails_and_adds_nothing(
    store: Store, clock: MovableClock
) -> None:
    outcomes = await asyncio.gather(
        *(bootstrap(store, master_key(one), clock) for one in (OLD, NEW)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "WrongMasterKey"]
    assert [await decrypts_everything(store, master_key(one)) for one in (OLD, NEW)].count(True) == 1
