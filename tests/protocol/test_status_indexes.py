"""Reservation of status list indexes, and the growth of the list."""

import asyncio
import gc
from collections.abc import Iterable

import pytest
from sqlalchemy import Connection, insert, select, update

from auth_service.status_list.index_pool import StatusIndexPool
from auth_service.store.schema.tables import revoked_indexes as revoked
from auth_service.store.schema.tables import status_lists, token_families, users
from auth_service.store.status_list import status_indexes
from auth_service.store.status_list.status_indexes import BLOCK, Reserved
from auth_service.vocabulary.timing import KEEP_ENDED_SECONDS, LARGER_LIST_DELAY
from tallystick.errors import TemporarilyUnavailable
from tests.support.auth_service import AuthService
from tests.support.status_lists import fetch, look, provider_of, reference_of

pytestmark = pytest.mark.postgresql

KEPT = 420
"""Seconds after the last `exp` until an index is free: the leeway and the lifetime of a list."""
SMALL = 4 * BLOCK


@pytest.fixture(autouse=True)
async def small(auth: AuthService) -> None:
    """A list of four blocks."""

    def shrink(connection: Connection) -> None:
        connection.execute(update(status_lists).values(size=SMALL, size_before=SMALL, wanted_size=SMALL))

    await auth.store.write(shrink)


async def reserve(auth: AuthService, *anywhere: int, lease: int = 600) -> Reserved | None:
    now = auth.clock()
    return await auth.store.write(status_indexes.reserve_block, anywhere, now=now, until=now + lease)


async def take(auth: AuthService, indexes: Iterable[int], *, prune_at: int, revoked_at: int | None = None) -> None:
    """Insert a family for each index."""
    rows: list[dict[str, object]] = [
        {
            "family_id": b"family %d" % index,
            "client_id": "bot",
            "sub": None,
            "scope": "",
            "resources": [],
            "generation": 0,
            "rotated_at": 0,
            "refresh_expires_at": 0,
            "expires_at": 0,
            "prune_at": prune_at,
            "revoked_at": auth.clock() if revoked_at is None else revoked_at,
            "status_index": index,
        }
        for index in indexes
    ]
    await auth.store.write(lambda connection: connection.execute(insert(token_families), rows).rowcount)


async def unrevoke(auth: AuthService) -> None:
    """Make all families unrevoked. They get a user, because a client may have only one live family of its own."""

    def change(connection: Connection) -> None:
        connection.execute(
            update(token_families).values(revoked_at=None, sub=select(users.c.sub).limit(1).scalar_subquery())
        )

    await auth.store.write(change)


async def set_bits(auth: AuthService, indexes: Iterable[int]) -> None:
    rows = [{"status_index": index} for index in indexes]
    await auth.store.write(lambda connection: connection.execute(insert(revoked), rows).rowcount)


async def test_a_reserved_block_is_not_reserved_again_before_its_lease_ends(auth: AuthService) -> None:
    mine = await reserve(auth, 1)
    assert mine is not None
    assert list(mine.indexes) == list(range(BLOCK, 2 * BLOCK))
    assert await reserve(auth, 1) is None
    other = await reserve(auth, 1, 2)
    assert other is not None
    assert not set(mine.indexes) & set(other.indexes)
    auth.clock.advance(seconds=600)
    assert await reserve(auth, 1) is not None


async def test_reserved_blocks_are_skipped(auth: AuthService) -> None:
    for block in (1, 2):
        assert await reserve(auth, block)
    assert await reserve(auth, 1, 2) is None
    third = await reserve(auth, 1, 2, 3)
    assert third
    assert {index // BLOCK for index in third.indexes} == {3}


async def test_an_index_of_a_family_is_not_reserved_again(auth: AuthService) -> None:
    await take(auth, range(0, BLOCK, 2), prune_at=auth.clock() + KEEP_ENDED_SECONDS + 3600)
    reserved = await reserve(auth, 0)
    assert reserved is not None
    assert list(reserved.indexes) == list(range(1, BLOCK, 2))


async def test_a_revoked_index_is_not_reserved_again_when_its_family_is_deleted(auth: AuthService) -> None:
    await set_bits(auth, range(0, BLOCK, 2))
    reserved = await reserve(auth, 0)
    assert reserved is not None
    assert list(reserved.indexes) == list(range(1, BLOCK, 2))


async def test_the_index_of_an_expired_family_is_freed_when_none_of_its_tokens_is_valid(
    auth: AuthService,
) -> None:
    last_exp = auth.clock() + 300
    await take(auth, [5], prune_at=last_exp + KEEP_ENDED_SECONDS)
    await unrevoke(auth)
    auth.clock.advance(seconds=300 + KEPT - 1)
    reserved = await reserve(auth, 0, lease=0)
    assert reserved is not None
    assert 5 not in reserved.indexes
    auth.clock.advance(seconds=1)
    reserved = await reserve(auth, 0)
    assert reserved is not None
    assert 5 in reserved.indexes


async def test_the_list_doubles_before_it_is_full_and_its_new_half_is_used_ten_seconds_later(
    auth: AuthService,
) -> None:
    await take(auth, range(SMALL - BLOCK // 8), prune_at=auth.clock() + KEEP_ENDED_SECONDS + 3600)
    everywhere = range(64)
    last = await reserve(auth, *everywhere, lease=0)
    assert last is not None
    assert min(last.indexes) == SMALL - BLOCK // 8
    auth.clock.advance(seconds=1)
    await look(auth)
    await look(auth)
    assert (await fetch(auth)).size == 2 * SMALL
    early = await reserve(auth, *everywhere, lease=0)
    assert early is not None
    assert max(early.indexes) < SMALL
    auth.clock.advance(seconds=1)
    await look(auth)
    assert (await fetch(auth)).size == 2 * SMALL  # it does not double again before verifiers have the larger list
    auth.clock.advance(seconds=LARGER_LIST_DELAY - 1)
    late = await reserve(auth, *range(4, 8))
    assert late is not None
    assert min(late.indexes) >= SMALL
    assert len(late.indexes) == BLOCK


async def test_a_code_is_not_spent_when_no_index_is_free(auth: AuthService) -> None:
    rp = auth.relying_party("app-one")
    code = await rp.authorization_code()
    await take(auth, range(SMALL), prune_at=auth.clock() + KEEP_ENDED_SECONDS + 3600)
    refused = await rp.token(code)
    assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    assert refused.headers["retry-after"]
    auth.clock.advance(seconds=1)
    await look(auth)
    await look(auth)
    auth.clock.advance(seconds=LARGER_LIST_DELAY)
    assert (await rp.token(code)).status_code == 200


async def test_two_families_never_share_an_index_when_two_processes_hold_one_block(auth: AuthService) -> None:
    """This can happen when the clock of one process is wrong by more than a lease."""
    rp = auth.relying_party("app-one")
    first = (await rp.tokens())["access_token"]
    code = await rp.authorization_code()
    indexes = provider_of(auth).grant_context.status_indexes
    indexes.release(reference_of(first)["idx"])
    refused = await rp.token(code)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    again = await rp.token(code)
    assert again.status_code == 200
    assert reference_of(again.json()["access_token"]) != reference_of(first)


async def test_a_replayed_code_releases_its_index(auth: AuthService) -> None:
    rp, indexes = auth.relying_party("app-one"), provider_of(auth).grant_context.status_indexes
    code = await rp.authorization_code()
    assert (await rp.token(code)).status_code == 200
    before = set(indexes._free)
    for _ in range(3):
        assert (await rp.token(code)).status_code == 400
    assert set(indexes._free) == before


async def test_concurrent_requests_share_one_reservation_and_its_failure(
    auth: AuthService, monkeypatch: pytest.MonkeyPatch
) -> None:
    reservations = []

    def is_unavailable(*_: object, **__: object) -> None:
        reservations.append(1)
        raise TemporarilyUnavailable("the store is unavailable")

    monkeypatch.setattr(status_indexes, "reserve_block", is_unavailable)
    auth.clock.advance(seconds=600)
    outcomes = await asyncio.gather(*(reserve_indexes(auth, 1) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(outcome, TemporarilyUnavailable) for outcome in outcomes)
    assert len(reservations) == 1


async def test_a_failed_reservation_without_a_waiter_is_not_logged(auth: AuthService) -> None:
    reports: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
    await take(auth, range(SMALL), prune_at=auth.clock() + KEEP_ENDED_SECONDS + 3600)
    indexes = StatusIndexPool(auth.store, auth.clock)

    waiting = asyncio.create_task(indexes.reserve())
    await asyncio.sleep(0)  # it has begun the reservation
    waiting.cancel()
    assert len(indexes._reserving) == 1
    while indexes._reserving:  # noqa: ASYNC110 - the pool has no event for its end
        await asyncio.sleep(0.01)
    del indexes, waiting
    gc.collect()
    assert reports == []


async def test_an_index_of_an_earlier_block_is_not_released(auth: AuthService) -> None:
    indexes = provider_of(auth).grant_context.status_indexes
    late = await indexes.reserve()
    auth.clock.advance(seconds=600)
    assert await reserve(auth, late // BLOCK)
    assert await reserve_indexes(auth, 1)  # of another block
    indexes.release(late)
    assert late not in indexes._free


async def reserve_indexes(auth: AuthService, count: int) -> set[int]:
    """Reserve `count` indexes for this process."""
    indexes, reserved = provider_of(auth).grant_context.status_indexes, set()
    for _ in range(count):
        reserved.add(await indexes.reserve())
    return reserved


async def test_an_old_family_that_gets_a_taken_index_is_answered_503(auth: AuthService) -> None:
    rp, bot = auth.relying_party("app-one"), auth.relying_party("bot")
    tokens = await rp.tokens()
    own = (await bot.client_credentials()).json()["access_token"]

    def change(connection: Connection) -> None:
        of_user = token_families.c.sub.is_not(None)
        connection.execute(update(token_families).where(of_user).values(status_index=None))

    await auth.store.write(change)
    provider_of(auth).grant_context.status_indexes.release(reference_of(own)["idx"])
    refused = await rp.refresh(tokens["refresh_token"])
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    refreshed = await rp.refresh(tokens["refresh_token"])
    assert refreshed.status_code == 200
    assert reference_of(refreshed.json()["access_token"]) != reference_of(own)


async def test_a_family_from_before_status_indexes_gets_one(auth: AuthService) -> None:
    rp = auth.relying_party("app-one")
    bot = auth.relying_party("bot")
    tokens = await rp.tokens()
    await bot.client_credentials()

    def change(connection: Connection) -> None:
        connection.execute(update(token_families).values(status_index=None))

    await auth.store.write(change)
    auth.clock.advance(seconds=2)
    first = (await rp.refresh(tokens["refresh_token"])).json()
    second = (await rp.refresh(first["refresh_token"])).json()
    assert reference_of(first["access_token"]) == reference_of(second["access_token"])
    own = [(await bot.client_credentials()).json()["access_token"] for _ in range(2)]
    assert reference_of(own[0]) == reference_of(own[1])


async def test_a_mass_revocation_is_listed_whole_and_its_indexes_are_freed_later(auth: AuthService) -> None:
    await set_bits(auth, range(3000))
    auth.clock.advance(seconds=1)
    await look(auth)
    assert (await fetch(auth)).revoked == 3000
    lifetime = auth.settings.lifetimes.status_list
    for _ in range(6):
        auth.clock.advance(seconds=lifetime)
        await look(auth)
    assert (await fetch(auth)).revoked == 0
    count = await auth.store.read(lambda connection: len(connection.execute(select(revoked)).all()))
    assert count == 0
