"""A clock that is set back, and a store that is ahead of it."""

import time

import pytest

from auth_service.vocabulary.non_decreasing_clock import NonDecreasingClock
from tests.support.clock import MovableClock


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> MovableClock:
    """Time as it passes, whatever the clocks show."""
    passing = MovableClock(1000)
    monkeypatch.setattr(time, "monotonic", lambda: float(passing()))
    return passing


def test_it_shows_what_the_clock_shows() -> None:
    clock = MovableClock()
    steady = NonDecreasingClock(clock)
    assert [steady(), steady()] == [clock.now] * 2
    clock.advance(seconds=5)
    assert (steady(), steady.behind) == (clock.now, 0)


def test_time_goes_on_while_a_clock_that_was_set_back_catches_up(passing: MovableClock) -> None:
    clock = MovableClock()
    steady, start = NonDecreasingClock(clock), clock.now
    assert steady() == start
    clock.now -= 3600
    assert (steady(), steady.behind) == (start, 3600)
    for _ in range(1000):
        passing.advance(seconds=1)
        clock.advance(seconds=1)
        steady()
    assert steady() == start + 900


def test_two_that_differ_meet_again(passing: MovableClock) -> None:
    clock = MovableClock()
    steady = NonDecreasingClock(clock)
    steady.note(clock.now + 30)
    shown = []
    for _ in range(400):
        passing.advance(seconds=1)
        clock.advance(seconds=1)
        shown.append(steady())
    assert shown == sorted(shown)
    assert steady() == clock.now


def test_it_never_goes_back_while_they_meet(passing: MovableClock) -> None:
    clock = MovableClock()
    steady = NonDecreasingClock(clock)
    before = steady()
    for step in (-50, 20, 7, -10, 45, 3):
        clock.now += step
        passing.advance(seconds=2)
        assert steady() >= before
        before = steady()


def test_what_the_store_has_seen_is_the_least_it_shows(passing: MovableClock) -> None:
    clock = MovableClock()
    steady = NonDecreasingClock(clock)
    steady.note(clock.now - 100)
    assert steady() == clock.now
    steady.note(clock.now + 100)
    assert (steady(), steady.behind) == (clock.now + 100, 100)


def test_that_a_clock_is_behind_is_told_once_a_minute(passing: MovableClock, caplog: pytest.LogCaptureFixture) -> None:
    clock = MovableClock()
    steady = NonDecreasingClock(clock)
    for _ in range(90):
        passing.advance(seconds=1)
        steady.note(clock.now + 3600)
    assert len(caplog.records) == 2
