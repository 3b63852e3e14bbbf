"""Detects a peer that has stopped reading."""

STALLED_BYTES = 32 * 1024


class WriteStallDetector:
    """A peer has stalled after `timeout` seconds without progress. It makes progress when it has read everything, or
    STALLED_BYTES, or when the transport's buffer falls from its high to its low mark. A slow peer that makes progress
    may take minutes for a large response.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._since: float | None = None
        self._unread = 0

    def note_progress(self) -> None:
        """Record that the transport's buffer fell below its low mark. Later writes do not matter."""
        self._since = None

    def has_stalled(self, unread: int, now: float) -> bool:
        """`unread`: bytes in the transport's buffer. `now`: the event loop's time."""
        if not unread:
            self._since = None
            return False
        if self._since is None or unread <= self._unread - STALLED_BYTES:
            self._since, self._unread = now, unread
        return now - self._since >= self._timeout
