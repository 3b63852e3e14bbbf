"""Which processes count as hung."""

from tallystick_service.server.hang_detector import HangDetector


class Parent:
    """A parent that observes one process, 7, of which it knows the number of heartbeats."""

    def __init__(self) -> None:
        self._detector = HangDetector(30)
        self._now = 1000.0

    def observe(self, beats: dict[int, int], *, after: float) -> list[int]:
        self._now += after
        return self._detector.hung(beats, self._now)


def test_process_without_a_heartbeat_hangs_after_the_timeout() -> None:
    parent = Parent()
    parent.observe({7: 5}, after=0)
    assert [parent.observe({7: 5}, after=1) for _ in range(29)] == [[]] * 29
    assert parent.observe({7: 5}, after=1) == [7]


def test_one_heartbeat_gives_the_whole_timeout_again() -> None:
    parent = Parent()
    for _ in range(29):
        parent.observe({7: 5}, after=1)
    assert parent.observe({7: 6}, after=1) == []
    assert [parent.observe({7: 6}, after=1) for _ in range(29)] == [[]] * 29
    assert parent.observe({7: 6}, after=1) == [7]


def test_time_in_which_the_parent_did_not_run_does_not_count() -> None:
    """A suspended machine, a stopped process group, a debugger at the parent, or an overload that stops all."""
    parent = Parent()
    parent.observe({7: 5}, after=0)
    assert parent.observe({7: 5}, after=86_400) == []
    assert [parent.observe({7: 5}, after=1) for _ in range(20)] == [[]] * 20
    assert parent.observe({7: 6}, after=86_400) == []


def test_frequent_observations_do_not_shorten_the_timeout() -> None:
    parent = Parent()
    parent.observe({7: 5}, after=0)
    assert [parent.observe({7: 5}, after=0.01) for _ in range(2000)] == [[]] * 2000


def test_only_the_silent_process_hangs_and_its_replacement_has_the_whole_timeout() -> None:
    parent = Parent()
    for second in range(31):
        hung = parent.observe({7: 5, 8: second}, after=1)
    assert hung == [7]
    assert [parent.observe({8: 40 + second, 9: 5}, after=1) for second in range(29)] == [[]] * 29


def test_process_that_is_observed_again_starts_anew() -> None:
    parent = Parent()
    for _ in range(29):
        parent.observe({7: 5}, after=1)
    parent.observe({}, after=1)
    assert parent.observe({7: 5}, after=1) == []
    assert [parent.observe({7: 5}, after=1) for _ in range(29)] == [[]] * 29
