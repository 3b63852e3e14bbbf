"""The device cookie recognizes a browser in which the account's user has signed in before."""

import pytest

from auth_service.authentication.users.device_cookie import DeviceCookie, KnownDevice
from tests.support.clock import MovableClock

EMAIL = "ada@example.com"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def device_cookie(clock: MovableClock) -> DeviceCookie:
    return DeviceCookie(lambda: [b"k" * 32], clock, is_https=True)


def test_cookie_is_valid_for_one_account_one_key_and_180_days(device_cookie: DeviceCookie, clock: MovableClock) -> None:
    value = device_cookie.issue(EMAIL, generation=0, known=None)
    assert device_cookie.parse(value, "bob@example.com") is None
    assert DeviceCookie(lambda: [b"K" * 32], clock, is_https=True).parse(value, EMAIL) is None
    clock.advance(seconds=180 * 86_400)
    assert device_cookie.parse(value, EMAIL) is not None
    clock.advance(seconds=86_400)
    assert device_cookie.parse(value, EMAIL) is None


def test_each_browser_gets_its_own_id_and_keeps_it(device_cookie: DeviceCookie, clock: MovableClock) -> None:
    known: list[KnownDevice | None] = [None, None]
    seen = set()
    for browser in (0, 1, 0, 1):
        value = device_cookie.issue(EMAIL, generation=0, known=known[browser])
        known[browser] = device_cookie.parse(value, EMAIL)
        seen.add(known[browser])
        clock.advance(seconds=86_400)
    assert len(seen) == 2


def test_new_password_generation_gives_the_browser_a_new_id(device_cookie: DeviceCookie) -> None:
    known = device_cookie.parse(device_cookie.issue(EMAIL, generation=0, known=None), EMAIL)
    later = device_cookie.parse(device_cookie.issue(EMAIL, generation=1, known=known), EMAIL)
    assert known is not None
    assert later is not None
    assert later.generation == 1
    assert later.device_id != known.device_id


@pytest.mark.parametrize(
    "value",
    [None, "", ".", "...", "20000.tag", "a.b.c.d", "a.1.1.", "é" * 50, "." * 10_000, "a" * 10_000, "1." * 80],
)
def test_forged_cookie_is_ignored(device_cookie: DeviceCookie, value: str | None) -> None:
    assert device_cookie.parse(value, EMAIL) is None
