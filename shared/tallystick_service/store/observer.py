"""The interface through which a store reports every unit of work, for metrics."""

from typing import Literal, Protocol

Outcome = Literal["done", "refused", "abandoned", "failed"]
"""done: it was run, and returned or raised an error of its own. refused: too many units waited, or the store is closed.
abandoned: the deadline passed, or the caller was cancelled. failed: the database was unreachable, full or locked.
"""


class StoreObserver(Protocol):
    def unit_ended(self, *, writes: bool, seconds: float, outcome: Outcome) -> None:
        """`seconds` since its submission. Called on the event loop, once for each unit."""
