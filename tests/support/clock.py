"""A clock that moves only when a test calls `advance`."""


class MovableClock:
    """A `tallystick.clock.Clock`. `now` is Unix seconds."""

    def __init__(self, now: int = 1_800_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, *, seconds: int) -> None:
        self.now += seconds
