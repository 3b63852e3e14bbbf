"""Who does not read is left; who reads slowly is not."""

from tallystick_service.server.write_stall_detector import STALLED_BYTES, STALLED_SECONDS, WriteStallDetector


def test_a_peer_that_takes_nothing_has_stalled() -> None:
    reading = WriteStallDetector()
    assert not reading.has_stalled(1, now=0)
    assert not reading.has_stalled(1, now=STALLED_SECONDS - 1)
    assert reading.has_stalled(1, now=STALLED_SECONDS)


def test_a_peer_that_takes_a_large_answer_little_by_little_has_not() -> None:
    reading = WriteStallDetector()
    unread = 100 * STALLED_BYTES
    for look in range(100):
        assert not reading.has_stalled(unread - look * STALLED_BYTES, now=look * (STALLED_SECONDS - 1))


def test_a_few_bytes_at_a_time_are_not_enough() -> None:
    reading = WriteStallDetector()
    unread = 100 * STALLED_BYTES
    looks = [reading.has_stalled(unread - second, now=second) for second in range(int(STALLED_SECONDS) + 1)]
    assert looks == [False] * int(STALLED_SECONDS) + [True]


def test_a_peer_that_took_all_begins_anew() -> None:
    reading = WriteStallDetector()
    assert not reading.has_stalled(1, now=0)
    assert not reading.has_stalled(0, now=STALLED_SECONDS)
    assert not reading.has_stalled(1, now=STALLED_SECONDS)


def test_taking_a_part_while_more_is_written_is_going_on() -> None:
    reading = WriteStallDetector()
    assert not reading.has_stalled(STALLED_BYTES, now=0)
    reading.note_progress()
    assert not reading.has_stalled(2 * STALLED_BYTES, now=STALLED_SECONDS)
