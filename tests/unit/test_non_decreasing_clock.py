"""The non-decreasing clock: a system clock that is set back, and a store with later timestamps."""

import time

import pytest

from auth_service.vocabulary.non_decreasing_clock import NonDecreasingClock
from tests.support.clock import MovableClock


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> MovableClock:
    """Stands in for the monotonic clock."""
    monotonic = MovableClock(1000)
    monkeypatch.setattr(time, "monotonic", lambda: float(monotonic()))
    return monotonic


def test_clock_shows_the_system_time() -> None:
    system = MovableClock()
    clock = NonDecreasingClock(system)
    assert [clock(), clock()] == [system.now] * 2
    system.advance(seconds=5)
    assert (clock(), clock.seconds_ahead) == (system.now, 0)


def test_clock_continues_at_nine_tenths_while_the_system_clock_is_behind(monotonic: MovableClock) -> None:
    system = MovableClock()
    clock, start = NonDecreasingClock(system), system.now
    assert clock() == start
    system.now -= 3600
    assert (clock(), clock.seconds_ahead) == (start, 3600)
    for _ in range(1000):
        monotonic.advance(seconds=1)
        system.advance(seconds=1)
        clock()
    assert clock() == start + 900


def test_clock_and_system_clock_meet_again(monotonic: MovableClock) -> None:
    system = MovableClock()
    clock = NonDecreasingClock(system)
    clock.observe(system.now + 30)
    shown = []
    for _ in range(400):
        monotonic.advance(seconds=1)
        system.advance(seconds=1)
        shown.append(clock())
    assert shown == sorted(shown)
    assert clock() == system.now


def test_clock_never_decreases_while_the_system_clock_jumps(monotonic: MovableClock) -> None:
    system = MovableClock()
    clock = NonDecreasingClock(system)
    before = clock()
    for step in (-50, 20, 7, -10, 45, 3):
        system.now += step
        monotonic.advance(seconds=2)
        assert clock() >= before
        before = clock()


def test_clock_shows_no_less_than_an_observed_timestamp(monotonic: MovableClock) -> None:
    system = MovableClock()
    clock = NonDecreasingClock(system)
    clock.observe(system.now - 100)
    assert clock() == system.now
    clock.observe(system.now + 100)
    assert (clock(), clock.seconds_ahead) == (system.now + 100, 100)


def test_system_clock_that_is_behind_is_logged_once_a_minute(
    monotonic: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    system = MovableClock()
    clock = NonDecreasingClock(system)
    for _ in range(90):
        monotonic.advance(seconds=1)
        clock.observe(system.now + 3600)
    assert len(caplog.records) == 2
