"""Whether a peer reads what was written to it."""

STALLED_SECONDS = 20.0
"""In which a peer takes all that was written to it, or STALLED_BYTES of it, or what is between the marks of the
transport's buffer."""
STALLED_BYTES = 32 * 1024


class Reading:
    """A large answer may take a slow reader minutes, if only it goes on."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._unread = 0

    def goes_on(self) -> None:
        """A good part was taken, whatever has been written since."""
        self._since = None

    def has_stalled(self, unread: int, now: float) -> bool:
        """`unread`: bytes that wait to be taken. `now`: the event loop's time."""
        if not unread:
            self._since = None
            return False
        if self._since is None or unread <= self._unread - STALLED_BYTES:
            self._since, self._unread = now, unread
        return now - self._since >= STALLED_SECONDS
