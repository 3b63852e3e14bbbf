"""Guessing passwords is slow, and cannot be used to lock anyone out (auth_service/authentication/guessing.py)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from auth_service.authentication.guessing import Attempt, allow, refund
from auth_service.store.tables import metadata
from tallystick.store import Store
from tests.support.clock import MovableClock
from tests.support.patience import patient_store

STRANGER = Attempt("ada@example.com", "192.0.2.1", known_since=None)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = patient_store(f"sqlite:///{tmp_path}/auth.db")
    metadata.create_all(store.engine)
    yield store
    await store.close()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


async def wait_for(store: Store, attempt: Attempt, clock: MovableClock) -> int:
    """Seconds."""
    return await allow(store, attempt, now_ms=clock() * 1000) // 1000


async def test_an_account_has_ten_tries_from_one_address_then_one_in_thirty_seconds(
    store: Store, clock: MovableClock
) -> None:
    assert [await wait_for(store, STRANGER, clock) for _ in range(12)] == [0] * 10 + [30, 30]
    clock.advance(seconds=29)
    assert await wait_for(store, STRANGER, clock) == 1
    clock.advance(seconds=1)
    assert [await wait_for(store, STRANGER, clock) for _ in range(2)] == [0, 30]


async def test_a_clock_that_was_far_ahead_locks_nobody_out_for_long(store: Store, clock: MovableClock) -> None:
    clock.advance(seconds=86_400)
    await wait_for(store, STRANGER, clock)
    clock.advance(seconds=-86_400)
    assert 0 < await wait_for(store, STRANGER, clock) <= 90
    clock.advance(seconds=90)
    assert [await wait_for(store, STRANGER, clock) for _ in range(2)] == [0, 30]


@pytest.mark.parametrize("skew", [0, 1, 30, 60])
async def test_two_clocks_that_differ_allow_no_more_tries_than_the_one_ahead(
    store: Store, clock: MovableClock, skew: int
) -> None:
    allowed = 0
    for _ in range(40):
        for ahead in (skew, 0):
            clock.advance(seconds=ahead)
            allowed += await wait_for(store, STRANGER, clock) == 0
            clock.advance(seconds=-ahead)
    assert allowed == 10


async def test_tries_at_the_same_instant_are_all_counted(store: Store, clock: MovableClock) -> None:
    waits = await asyncio.gather(*(wait_for(store, STRANGER, clock) for _ in range(40)))
    assert sorted(waits) == [0] * 10 + [30] * 30


async def test_another_account_and_another_address_have_their_own(store: Store, clock: MovableClock) -> None:
    for _ in range(11):
        await wait_for(store, STRANGER, clock)
    assert await wait_for(store, replace(STRANGER, email_key="bob@example.com"), clock) == 0
    assert await wait_for(store, replace(STRANGER, address="192.0.2.2"), clock) == 0


@pytest.mark.parametrize(
    ("address", "neighbour", "elsewhere"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"),
        ("fe80::1%eth0", "fe80::2%eth1", "fe81::1"),
        ("", "a socket", "192.0.2.1"),
    ],
)
async def test_an_address_has_a_hundred_tries_then_one_a_second(
    store: Store, clock: MovableClock, address: str, neighbour: str, elsewhere: str
) -> None:
    def of_account(number: int, address: str) -> Attempt:
        return Attempt(f"user-{number}@example.com", address, known_since=None)

    assert not any([await wait_for(store, of_account(number, address), clock) for number in range(100)])
    assert await wait_for(store, of_account(100, address), clock) == 1
    assert await wait_for(store, of_account(101, neighbour), clock) == 1
    assert await wait_for(store, of_account(102, elsewhere), clock) == 0
    clock.advance(seconds=1)
    assert await wait_for(store, of_account(103, neighbour), clock) == 0


async def fill_from_everywhere(store: Store, clock: MovableClock) -> None:
    for number in range(101):
        last = await wait_for(store, replace(STRANGER, address=f"198.51.100.{number}"), clock)
    assert last == 10


async def test_strangers_cannot_lock_a_known_device_out(store: Store, clock: MovableClock) -> None:
    await fill_from_everywhere(store, clock)
    assert await wait_for(store, replace(STRANGER, known_since="20000"), clock) == 0


async def test_strangers_lock_nobody_out_for_longer_than_they_stay(store: Store, clock: MovableClock) -> None:
    await fill_from_everywhere(store, clock)
    assert await wait_for(store, replace(STRANGER, address="203.0.113.1"), clock) == 10
    clock.advance(seconds=10)
    assert await wait_for(store, replace(STRANGER, address="203.0.113.1"), clock) == 0


async def test_known_devices_may_not_guess_faster(store: Store, clock: MovableClock) -> None:
    thief = replace(STRANGER, known_since="20000")
    assert [await wait_for(store, thief, clock) for _ in range(11)] == [0] * 10 + [30]
    assert await wait_for(store, replace(thief, address="198.51.100.1"), clock) == 30
    assert await wait_for(store, replace(thief, email_key="bob@example.com"), clock) == 0


async def test_what_was_never_looked_at_is_given_back(store: Store, clock: MovableClock) -> None:
    for _ in range(20):
        assert await wait_for(store, STRANGER, clock) == 0
        await refund(store, STRANGER)


async def test_what_is_given_back_late_is_no_credit(store: Store, clock: MovableClock) -> None:
    assert await wait_for(store, STRANGER, clock) == 0
    clock.advance(seconds=3600)
    await refund(store, STRANGER)
    assert [await wait_for(store, STRANGER, clock) for _ in range(11)] == [0] * 10 + [30]


async def test_text_that_no_database_keeps_is_counted_like_any_other(store: Store, clock: MovableClock) -> None:
    odd = replace(STRANGER, email_key="\ud800\0" * 1000)
    assert [await wait_for(store, odd, clock) for _ in range(11)] == [0] * 10 + [30]
