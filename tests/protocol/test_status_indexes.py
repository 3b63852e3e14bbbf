"""Which indexes of the status list a process may give away, and when the list grows."""

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
"""Seconds after the last `exp`: the leeway, and the lifetime of a list."""
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
    """As many families as if they had been begun."""
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


async def revive(auth: AuthService) -> None:
    """They ended by themselves, nobody revoked them; as a user's, of whom a client may have many that live."""

    def forget(connection: Connection) -> None:
        connection.execute(
            update(token_families).values(revoked_at=None, sub=select(users.c.sub).limit(1).scalar_subquery())
        )

    await auth.store.write(forget)


async def set_bits(auth: AuthService, indexes: Iterable[int]) -> None:
    rows = [{"status_index": index} for index in indexes]
    await auth.store.write(lambda connection: connection.execute(insert(revoked), rows).rowcount)


async def test_a_block_is_one_processs_for_its_time(auth: AuthService) -> None:
    mine = await reserve(auth, 1)
    assert mine is not None
    assert list(mine.indexes) == list(range(BLOCK, 2 * BLOCK))
    assert await reserve(auth, 1) is None
    other = await reserve(auth, 1, 2)
    assert other is not None
    assert not set(mine.indexes) & set(other.indexes)
    auth.clock.advance(seconds=600)
    assert await reserve(auth, 1) is not None


async def test_blocks_of_others_are_passed_over_wherever_they_stand(auth: AuthService) -> None:
    for block in (1, 2):
        assert await reserve(auth, block)
    assert await reserve(auth, 1, 2) is None
    third = await reserve(auth, 1, 2, 3)
    assert third
    assert {index // BLOCK for index in third.indexes} == {3}


async def test_what_is_in_use_is_not_given_again(auth: AuthService) -> None:
    await take(auth, range(0, BLOCK, 2), prune_at=auth.clock() + KEEP_ENDED_SECONDS + 3600)
    reserved = await reserve(auth, 0)
    assert reserved is not None
    assert list(reserved.indexes) == list(range(1, BLOCK, 2))


async def test_what_is_revoked_is_not_given_again_though_its_family_is_gone(auth: AuthService) -> None:
    await set_bits(auth, range(0, BLOCK, 2))
    reserved = await reserve(auth, 0)
    assert reserved is not None
    assert list(reserved.indexes) == list(range(1, BLOCK, 2))


async def test_a_family_that_ended_by_itself_gives_its_index_back_when_no_token_of_it_is_believed(
    auth: AuthService,
) -> None:
    last_exp = auth.clock() + 300
    await take(auth, [5], prune_at=last_exp + KEEP_ENDED_SECONDS)
    await revive(auth)
    auth.clock.advance(seconds=300 + KEPT - 1)
    reserved = await reserve(auth, 0, lease=0)
    assert reserved is not None
    assert 5 not in reserved.indexes
    auth.clock.advance(seconds=1)
    reserved = await reserve(auth, 0)
    assert reserved is not None
    assert 5 in reserved.indexes


async def test_the_list_doubles_before_it_is_full_and_the_new_half_waits_until_it_has_been_seen(
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
    assert (await fetch(auth)).size == 2 * SMALL  # and not four times, before anyone has seen the half that is new
    auth.clock.advance(seconds=LARGER_LIST_DELAY - 1)
    late = await reserve(auth, *range(4, 8))
    assert late is not None
    assert min(late.indexes) >= SMALL
    assert len(late.indexes) == BLOCK


async def test_without_a_free_index_a_code_is_not_spent(auth: AuthService) -> None:
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


async def test_an_index_that_another_has_all_the_same_is_never_shared(auth: AuthService) -> None:
    """As when a clock is so wrong that two processes hold one block."""
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


async def test_a_code_that_is_repeated_uses_up_no_indexes(auth: AuthService) -> None:
    rp, indexes = auth.relying_party("app-one"), provider_of(auth).grant_context.status_indexes
    code = await rp.authorization_code()
    assert (await rp.token(code)).status_code == 200
    before = set(indexes._free)
    for _ in range(3):
        assert (await rp.token(code)).status_code == 400
    assert set(indexes._free) == before


async def test_of_all_who_wait_for_a_block_one_asks_and_all_are_told(
    auth: AuthService, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def is_away(*_: object, **__: object) -> None:
        asked.append(1)
        raise TemporarilyUnavailable("the store is away")

    monkeypatch.setattr(status_indexes, "reserve_block", is_away)
    auth.clock.advance(seconds=600)
    outcomes = await asyncio.gather(*(draw(auth, 1) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(outcome, TemporarilyUnavailable) for outcome in outcomes)
    assert len(asked) == 1


async def test_a_failure_that_nobody_waits_for_any_more_is_none(auth: AuthService) -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    await take(auth, range(SMALL), prune_at=auth.clock() + KEEP_ENDED_SECONDS + 3600)
    indexes = StatusIndexPool(auth.store, auth.clock)

    waiting = asyncio.create_task(indexes.reserve())
    await asyncio.sleep(0)  # it has asked
    waiting.cancel()
    assert indexes._reserving is not None
    await asyncio.wait([waiting, indexes._reserving])
    del indexes, waiting
    gc.collect()
    assert complaints == []


async def test_an_index_of_a_block_that_is_somebody_elses_by_now_is_not_put_back(auth: AuthService) -> None:
    indexes = provider_of(auth).grant_context.status_indexes
    late = await indexes.reserve()
    auth.clock.advance(seconds=600)
    assert await reserve(auth, late // BLOCK)
    assert await draw(auth, 1)  # of another block
    indexes.release(late)
    assert late not in indexes._free


async def draw(auth: AuthService, most: int) -> set[int]:
    """So many indexes, or as many as are left in our block."""
    indexes, drawn = provider_of(auth).grant_context.status_indexes, set()
    for _ in range(most):
        drawn.add(await indexes.reserve())
    return drawn


async def test_a_family_from_before_that_gets_an_index_that_is_taken_is_told_to_come_again(auth: AuthService) -> None:
    rp, bot = auth.relying_party("app-one"), auth.relying_party("bot")
    tokens = await rp.tokens()
    own = (await bot.client_credentials()).json()["access_token"]

    def forget(connection: Connection) -> None:
        mine = token_families.c.sub.is_not(None)
        connection.execute(update(token_families).where(mine).values(status_index=None))

    await auth.store.write(forget)
    provider_of(auth).grant_context.status_indexes.release(reference_of(own)["idx"])
    refused = await rp.refresh(tokens["refresh_token"])
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    refreshed = await rp.refresh(tokens["refresh_token"])
    assert refreshed.status_code == 200
    assert reference_of(refreshed.json()["access_token"]) != reference_of(own)


async def test_a_family_from_before_there_were_indexes_is_given_one(auth: AuthService) -> None:
    rp = auth.relying_party("app-one")
    bot = auth.relying_party("bot")
    tokens = await rp.tokens()
    await bot.client_credentials()

    def forget(connection: Connection) -> None:
        connection.execute(update(token_families).values(status_index=None))

    await auth.store.write(forget)
    auth.clock.advance(seconds=2)
    first = (await rp.refresh(tokens["refresh_token"])).json()
    second = (await rp.refresh(first["refresh_token"])).json()
    assert reference_of(first["access_token"]) == reference_of(second["access_token"])
    own = [(await bot.client_credentials()).json()["access_token"] for _ in range(2)]
    assert reference_of(own[0]) == reference_of(own[1])


async def test_a_crowd_that_is_revoked_at_once_is_listed_whole_and_freed_again(auth: AuthService) -> None:
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
