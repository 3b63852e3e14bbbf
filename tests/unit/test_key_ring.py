"""Signing keys are published before they sign and until their last token has expired, and never after a withdrawal."""

import asyncio
import json

import pytest

from auth_service.keys.bootstrap import bootstrap, load_secret
from auth_service.keys.generation import make_key
from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey, WrongMasterKey
from auth_service.store.keys import signing_keys
from tallystick.errors import TemporarilyUnavailable
from tallystick_service.store import Store, StoreUnavailable
from tests.support.clock import MovableClock

AHEAD, KEEP_PUBLISHED = 60, 360
MASTER_KEY = MasterKey.load("A" * 43, may_create=False)
OTHER_MASTER_KEY = MasterKey.load("B" * 42 + "A", may_create=False)


@pytest.fixture
async def ring(store: Store, clock: MovableClock) -> KeyRing:
    await bootstrap(store, MASTER_KEY, clock, keep_published=KEEP_PUBLISHED)
    return another(store, clock)


def another(store: Store, clock: MovableClock) -> KeyRing:
    return KeyRing(
        store, MASTER_KEY, clock=clock, ahead=AHEAD, keep_published=KEEP_PUBLISHED, lifetime=0, remembered=7_776_000
    )


async def published(ring: KeyRing) -> set[str]:
    """The kids of the ES256 keys. The RS256 keys behave alike."""
    jwks = json.loads(await ring.jwks())["keys"]
    assert {jwk["kid"] for jwk in jwks} == set(await ring.verification_keys())
    return {jwk["kid"] for jwk in jwks if jwk["alg"] == "ES256"}


async def hint_kids(ring: KeyRing) -> set[str]:
    return {kid for kid, key in (await ring.hint_keys()).items() if key.alg == "ES256"}


async def test_the_first_key_signs_immediately(ring: KeyRing) -> None:
    key = await ring.signing_key()
    assert key.alg == "ES256"
    assert (await ring.verification_keys())[key.kid] == key.public
    assert await published(ring) == {key.kid}


async def test_the_jwks_has_public_members_only(ring: KeyRing) -> None:
    es256, rs256 = sorted(json.loads(await ring.jwks())["keys"], key=lambda jwk: str(jwk["alg"]))
    assert es256.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert rs256.keys() == {"kty", "n", "e", "kid", "use", "alg"}


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
async def test_each_algorithm_has_a_key_of_its_own(ring: KeyRing, clock: MovableClock, alg: str) -> None:
    """OpenID Connect demands RS256. A rotation of one algorithm does not rotate the other."""
    other = "RS256" if alg == "ES256" else "ES256"
    before, other_key = await ring.signing_key(alg), await ring.signing_key(other)
    assert before.alg == alg
    new = await ring.rotate(alg)
    clock.advance(seconds=AHEAD)
    assert (await ring.signing_key(alg)).kid == new != before.kid
    assert await ring.signing_key(other) == other_key


async def test_a_new_key_is_published_before_its_first_signature(ring: KeyRing, clock: MovableClock) -> None:
    old = (await ring.signing_key()).kid
    new = await ring.rotate()
    assert await published(ring) == {old, new}
    clock.advance(seconds=AHEAD - 1)
    assert (await ring.signing_key()).kid == old
    clock.advance(seconds=1)
    assert (await ring.signing_key()).kid == new


async def test_a_retired_key_stays_published_until_its_last_token_has_expired(
    ring: KeyRing, clock: MovableClock
) -> None:
    old = (await ring.signing_key()).kid
    new = await ring.rotate()
    clock.advance(seconds=AHEAD + KEEP_PUBLISHED - 1)
    assert await published(ring) == {old, new}
    clock.advance(seconds=1)
    assert await published(ring) == {new}
    assert await hint_kids(ring) == {old, new}


async def test_a_rotation_while_a_key_waits_adds_none(ring: KeyRing, clock: MovableClock) -> None:
    assert await ring.rotate() is not None
    assert await ring.rotate() is None
    assert len(await published(ring)) == 2
    clock.advance(seconds=AHEAD)
    assert await ring.rotate() is not None


async def test_concurrent_rotations_add_one_key(ring: KeyRing, store: Store, clock: MovableClock) -> None:
    rotated = await asyncio.gather(*(another(store, clock).rotate() for _ in range(5)))
    assert len([kid for kid in rotated if kid]) == 1


async def test_withdrawing_the_signing_key_adds_one_that_signs_immediately(ring: KeyRing) -> None:
    withdrawn = (await ring.signing_key()).kid
    assert await ring.withdraw(withdrawn)
    key = await ring.signing_key()
    assert key.kid != withdrawn
    assert await published(ring) == {key.kid} == await hint_kids(ring)


async def test_a_retired_key_does_not_sign_again_when_its_successor_is_withdrawn(
    ring: KeyRing, clock: MovableClock
) -> None:
    retired = (await ring.signing_key()).kid
    successor = await ring.rotate()
    clock.advance(seconds=AHEAD + KEEP_PUBLISHED)
    assert successor == (await ring.signing_key()).kid
    await ring.withdraw(successor)
    assert (await ring.signing_key()).kid not in (retired, successor)
    assert retired not in await published(ring)
    assert retired in await hint_kids(ring)


@pytest.mark.parametrize("state", ["waiting", "retired"])
async def test_withdrawing_another_key_leaves_the_signing_key(ring: KeyRing, clock: MovableClock, state: str) -> None:
    first = (await ring.signing_key()).kid
    second = await ring.rotate()
    assert second is not None
    if state == "retired":
        clock.advance(seconds=AHEAD)
    withdrawn, signing = (second, first) if state == "waiting" else (first, second)
    assert await ring.withdraw(withdrawn)
    clock.advance(seconds=AHEAD)
    assert (await ring.signing_key()).kid == signing
    assert await published(ring) == {signing} == await hint_kids(ring)


async def test_a_key_is_withdrawn_once_and_an_unknown_kid_never(ring: KeyRing) -> None:
    kid = (await ring.signing_key()).kid
    assert not await ring.withdraw("no-such-kid")
    assert await ring.withdraw(kid)
    assert not await ring.withdraw(kid)
    assert len(await published(ring)) == 1


async def test_another_process_sees_a_rotation_within_a_second(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    elsewhere = another(store, clock)
    assert len(await published(elsewhere)) == 1
    await ring.rotate()
    assert len(await published(elsewhere)) == 1
    clock.advance(seconds=1)
    assert len(await published(elsewhere)) == 2


async def test_without_the_store_the_known_keys_follow_their_schedule(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    new = await ring.rotate()
    assert len(await published(ring)) == 2
    await store.close()
    clock.advance(seconds=AHEAD)
    assert (await ring.signing_key()).kid == new
    clock.advance(seconds=KEEP_PUBLISHED)
    assert await published(ring) == {new}


async def test_a_process_that_never_reached_the_store_raises_store_unavailable(
    ring: KeyRing, store: Store, clock: MovableClock
) -> None:
    await store.close()
    with pytest.raises(StoreUnavailable):
        await another(store, clock).signing_key()


async def test_without_any_key_signing_is_temporarily_unavailable(store: Store, clock: MovableClock) -> None:
    with pytest.raises(TemporarilyUnavailable):
        await another(store, clock).signing_key()


async def test_a_second_start_adds_nothing(ring: KeyRing, store: Store, clock: MovableClock) -> None:
    before = await store.read(signing_keys.load_all), await load_secret(store, MASTER_KEY, "refresh_key")
    await bootstrap(store, MASTER_KEY, clock, keep_published=KEEP_PUBLISHED)
    assert before == (await store.read(signing_keys.load_all), await load_secret(store, MASTER_KEY, "refresh_key"))


async def test_concurrent_first_starts_add_one_key_per_algorithm_and_one_version_per_secret(
    store: Store, clock: MovableClock
) -> None:
    await asyncio.gather(*(bootstrap(store, MASTER_KEY, clock) for _ in range(5)))
    assert sorted(row.alg for row in await store.read(signing_keys.load_all)) == ["ES256", "RS256"]
    refresh_key, form_key = [await load_secret(store, MASTER_KEY, name) for name in ("refresh_key", "form_key")]
    assert refresh_key.keys() == form_key.keys() == {1}
    assert len(refresh_key[1]) == len(form_key[1]) == 32
    assert refresh_key != form_key


async def test_a_wrong_master_key_is_refused_and_adds_nothing(ring: KeyRing, store: Store, clock: MovableClock) -> None:
    before = await store.read(signing_keys.load_all)
    with pytest.raises(WrongMasterKey):
        await bootstrap(store, OTHER_MASTER_KEY, clock)
    with pytest.raises(WrongMasterKey):
        await load_secret(store, OTHER_MASTER_KEY, "refresh_key")
    assert await store.read(signing_keys.load_all) == before


def test_no_kid_begins_with_a_dash() -> None:
    kids = {make_key(MASTER_KEY, "ES256", published_at=0, signs_from=0).kid for _ in range(500)}
    assert not [kid for kid in kids if kid.startswith("-")]
