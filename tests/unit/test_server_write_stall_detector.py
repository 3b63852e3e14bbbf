"""A peer that does not read has stalled; a peer that reads slowly has not."""

from tallystick_service.server.write_stall_detector import STALLED_BYTES, WriteStallDetector

TIMEOUT = 20.0


def test_a_peer_that_reads_nothing_has_stalled() -> None:
    detector = WriteStallDetector(TIMEOUT)
    assert not detector.has_stalled(1, now=0)
    assert not detector.has_stalled(1, now=TIMEOUT - 1)
    assert detector.has_stalled(1, now=TIMEOUT)


def test_a_peer_that_reads_a_large_response_in_parts_has_not_stalled() -> None:
    detector = WriteStallDetector(TIMEOUT)
    unread = 100 * STALLED_BYTES
    for check in range(100):
        assert not detector.has_stalled(unread - check * STALLED_BYTES, now=check * (TIMEOUT - 1))


def test_a_peer_that_reads_a_few_bytes_at_a_time_has_stalled() -> None:
    detector = WriteStallDetector(TIMEOUT)
    unread = 100 * STALLED_BYTES
    results = [detector.has_stalled(unread - second, now=second) for second in range(int(TIMEOUT) + 1)]
    assert results == [False] * int(TIMEOUT) + [True]


def test_reading_everything_restarts_the_timeout() -> None:
    detector = WriteStallDetector(TIMEOUT)
    assert not detector.has_stalled(1, now=0)
    assert not detector.has_stalled(0, now=TIMEOUT)
    assert not detector.has_stalled(1, now=TIMEOUT)


def test_reading_to_the_low_mark_while_more_is_written_is_progress() -> None:
    detector = WriteStallDetector(TIMEOUT)
    assert not detector.has_stalled(STALLED_BYTES, now=0)
    detector.note_progress()
    assert not detector.has_stalled(2 * STALLED_BYTES, now=TIMEOUT)
