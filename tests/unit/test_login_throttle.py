"""The limits on login attempts (auth_service/authentication/users/login_throttle.py)."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from auth_service.authentication.users.device_cookie import KnownDevice
from auth_service.authentication.users.login_throttle import LoginAttempt, admit, refund
from auth_service.store.limits import rate_limits
from auth_service.store.schema.tables import metadata
from auth_service.store.users import password_logins, users
from tallystick_service.store import Store
from tests.support.clock import MovableClock
from tests.support.patience import patient_store

UNKNOWN = LoginAttempt("ada@example.com", "192.0.2.1", device=None)
KNOWN = replace(UNKNOWN, device=KnownDevice("a browser", generation=0))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = patient_store(f"sqlite:///{tmp_path}/auth.db")
    metadata.create_all(store.engine)
    await store.write(_add_ada)
    yield store
    await store.close()


def _add_ada(connection: Connection) -> None:
    users.add_user(
        connection, email="ada@example.com", password_hash=None, claims={}, roles=[], origin="command", now=1
    )


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


async def wait_for(store: Store, attempt: LoginAttempt, clock: MovableClock) -> int:
    """Seconds until the attempt is admitted."""
    return (await admit(store, attempt, now_ms=clock() * 1000)).wait_ms // 1000


async def wait_for_each(store: Store, attempts: Iterable[LoginAttempt], clock: MovableClock) -> list[int]:
    """Seconds for each of consecutive attempts, in one unit of work, which is faster than one for each."""

    def begin_all(connection: Connection) -> list[int]:
        now_ms = clock() * 1000
        begun = [
            password_logins.admit_attempt(connection, attempt.limits, attempt.failure, now_ms=now_ms)
            for attempt in attempts
        ]
        return [admission.wait_ms // 1000 for admission in begun]

    return await store.write(begin_all)


def from_addresses(attempt: LoginAttempt, count: int) -> list[LoginAttempt]:
    return [replace(attempt, address=f"10.0.{number // 250}.{number % 250}") for number in range(count)]


async def test_account_has_ten_attempts_from_one_address_then_one_in_30_seconds(
    store: Store, clock: MovableClock
) -> None:
    assert [await wait_for(store, UNKNOWN, clock) for _ in range(12)] == [0] * 10 + [30, 30]
    clock.advance(seconds=29)
    assert await wait_for(store, UNKNOWN, clock) == 1
    clock.advance(seconds=1)
    assert [await wait_for(store, UNKNOWN, clock) for _ in range(2)] == [0, 30]


async def test_bucket_dated_by_a_clock_far_ahead_is_cut_off_to_90_seconds(store: Store, clock: MovableClock) -> None:
    clock.advance(seconds=86_400)
    await wait_for(store, UNKNOWN, clock)
    clock.advance(seconds=-86_400)
    assert 0 < await wait_for(store, UNKNOWN, clock) <= 90
    clock.advance(seconds=90)
    assert [await wait_for(store, UNKNOWN, clock) for _ in range(2)] == [0, 30]


@pytest.mark.parametrize("skew", [0, 1, 30, 60])
async def test_two_clocks_that_differ_admit_no_more_attempts_than_one(
    store: Store, clock: MovableClock, skew: int
) -> None:
    allowed = 0
    for _ in range(40):
        for ahead in (skew, 0):
            clock.advance(seconds=ahead)
            allowed += await wait_for(store, UNKNOWN, clock) == 0
            clock.advance(seconds=-ahead)
    assert allowed == 10


async def test_concurrent_attempts_are_all_counted(store: Store, clock: MovableClock) -> None:
    waits = await asyncio.gather(*(wait_for(store, UNKNOWN, clock) for _ in range(40)))
    assert sorted(waits) == [0] * 10 + [30] * 30


async def test_each_account_and_each_address_has_its_own_limit(store: Store, clock: MovableClock) -> None:
    for _ in range(11):
        await wait_for(store, UNKNOWN, clock)
    assert await wait_for(store, replace(UNKNOWN, email_key="bob@example.com"), clock) == 0
    assert await wait_for(store, replace(UNKNOWN, address="192.0.2.2"), clock) == 0


@pytest.mark.parametrize(
    ("address", "neighbour", "elsewhere"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"),
        ("fe80::1%eth0", "fe80::2%eth1", "fe81::1"),
        ("", "a socket", "192.0.2.1"),
    ],
)
async def test_network_has_a_hundred_attempts_then_one_a_second(
    store: Store, clock: MovableClock, address: str, neighbour: str, elsewhere: str
) -> None:
    def of_account(number: int, address: str) -> LoginAttempt:
        return LoginAttempt(f"user-{number}@example.com", address, device=None)

    assert not any([await wait_for(store, of_account(number, address), clock) for number in range(100)])
    assert await wait_for(store, of_account(100, address), clock) == 1
    assert await wait_for(store, of_account(101, neighbour), clock) == 1
    assert await wait_for(store, of_account(102, elsewhere), clock) == 0
    clock.advance(seconds=1)
    assert await wait_for(store, of_account(103, neighbour), clock) == 0


async def test_site_has_two_hundred_attempts_over_all_its_networks(store: Store, clock: MovableClock) -> None:
    def of_network(number: int) -> LoginAttempt:
        return LoginAttempt(f"user-{number}@example.com", f"2001:db8:0:{number:x}::1", device=None)

    waits = await wait_for_each(store, map(of_network, range(202)), clock)
    assert waits == [0] * 200 + [1, 1]
    assert await wait_for(store, replace(of_network(202), address="2001:db8:1::1"), clock) == 0


async def test_account_has_thirty_attempts_from_one_site(store: Store, clock: MovableClock) -> None:
    networks = [replace(UNKNOWN, address=f"2001:db8:0:{number:x}::1") for number in range(31)]
    waits = await wait_for_each(store, networks, clock)
    assert waits == [0] * 30 + [10]


async def attack(store: Store, clock: MovableClock, attempt: LoginAttempt = UNKNOWN) -> int:
    """Make attempts from twelve addresses until none is admitted. Returns the number of admitted attempts."""
    return (await wait_for_each(store, from_addresses(attempt, 12) * 11, clock)).count(0)


async def test_quiet_address_is_admitted_while_others_use_up_the_account_limit(
    store: Store, clock: MovableClock
) -> None:
    await attack(store, clock)
    waits = [await wait_for(store, replace(UNKNOWN, address="203.0.113.1"), clock) for _ in range(4)]
    assert waits[:3] == [0, 0, 0]
    assert waits[3] > 0
    assert await wait_for(store, replace(UNKNOWN, address="203.0.113.2"), clock) == 0


async def test_right_password_from_a_quiet_address_is_refunded(store: Store, clock: MovableClock) -> None:
    await attack(store, clock)
    for _ in range(10):
        admission = await admit(store, replace(UNKNOWN, address="203.0.113.1"), now_ms=clock() * 1000)
        assert admission.wait_ms == 0
        await refund(store, admission)


async def test_twelve_addresses_have_at_most_the_documented_attempts_in_an_hour(
    store: Store, clock: MovableClock
) -> None:
    """100 and 360 for the account, and 3 for each quiet address."""
    admitted = 0
    for _ in range(12):
        admitted += (await wait_for_each(store, from_addresses(UNKNOWN, 12) * 4, clock)).count(0)
        clock.advance(seconds=300)
    assert 360 <= admitted <= 100 + 360 + 12 * 3


async def test_attempts_of_all_quiet_addresses_are_bounded(store: Store, clock: MovableClock) -> None:
    """100 for the account and 3,000 for all quiet addresses, however many addresses an attacker has."""
    of_all = UNKNOWN.limits.quiet_address[1]

    def all_but_two(connection: Connection) -> None:
        for _ in range(2998):
            rate_limits.charge(connection, [of_all], now_ms=clock() * 1000)

    await store.write(all_but_two)
    waits = await wait_for_each(store, from_addresses(UNKNOWN, 104), clock)
    assert waits == [0] * 102 + [10, 10]
    assert of_all.burst == 3000


async def test_user_is_admitted_30_seconds_after_an_attack(store: Store, clock: MovableClock) -> None:
    elsewhere = replace(UNKNOWN, address="203.0.113.1")
    await attack(store, clock)
    while await wait_for(store, elsewhere, clock) == 0:
        pass
    clock.advance(seconds=30)
    assert await wait_for(store, elsewhere, clock) == 0


async def test_known_browser_is_admitted_while_others_use_up_the_account_and_address_limits(
    store: Store, clock: MovableClock
) -> None:
    await attack(store, clock)
    while await wait_for(store, UNKNOWN, clock) == 0:
        pass
    assert await wait_for(store, KNOWN, clock) == 0


async def test_browser_of_an_earlier_password_generation_is_unknown(store: Store, clock: MovableClock) -> None:
    stale = replace(KNOWN, device=KnownDevice("a browser", generation=1))
    assert [await wait_for(store, stale, clock) for _ in range(11)] == [0] * 10 + [30]
    assert await wait_for(store, UNKNOWN, clock) == 30


async def test_copied_device_cookie_does_not_lock_its_owner_out(store: Store, clock: MovableClock) -> None:
    """The thief uses one address or many. The owner uses another one, and mistypes the password once."""
    thief = replace(KNOWN, address="198.51.100.1")
    while await wait_for(store, thief, clock) == 0:
        pass
    assert [await wait_for(store, KNOWN, clock) for _ in range(2)] == [0, 0]
    await attack(store, clock, KNOWN)
    assert [await wait_for(store, KNOWN, clock) for _ in range(2)] == [0, 0]


async def test_copied_device_cookie_adds_twenty_attempts_and_one_every_30_seconds(
    store: Store, clock: MovableClock
) -> None:
    await attack(store, clock)
    assert await attack(store, clock, KNOWN) == 20
    clock.advance(seconds=30)
    await attack(store, clock)
    assert await attack(store, clock, KNOWN) == 1


async def test_unchecked_attempt_is_refunded(store: Store, clock: MovableClock) -> None:
    for _ in range(20):
        admission = await admit(store, UNKNOWN, now_ms=clock() * 1000)
        assert admission.wait_ms == 0
        await refund(store, admission)


async def test_late_refund_gives_no_credit(store: Store, clock: MovableClock) -> None:
    admission = await admit(store, UNKNOWN, now_ms=clock() * 1000)
    clock.advance(seconds=3600)
    await refund(store, admission)
    assert [await wait_for(store, UNKNOWN, clock) for _ in range(11)] == [0] * 10 + [30]


async def test_email_that_no_database_can_store_is_counted_like_any_other(store: Store, clock: MovableClock) -> None:
    odd = replace(UNKNOWN, email_key="\ud800\0" * 1000)
    assert [await wait_for(store, odd, clock) for _ in range(11)] == [0] * 10 + [30]
