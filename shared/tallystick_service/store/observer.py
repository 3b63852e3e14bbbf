"""Whoever watches a store: it hears of every unit of work, and the store knows nothing of it."""

from typing import Literal, Protocol

Outcome = Literal["done", "refused", "abandoned", "failed"]
"""done: it was run, whatever it answered, an error of its own included. refused: too many waited, or the store is
closed. abandoned: the deadline passed, or the caller gave up. failed: the database was away, full or locked.
"""


class StoreObserver(Protocol):
    def unit_ended(self, *, writes: bool, seconds: float, outcome: Outcome) -> None:
        """`seconds` from its submission. Called on the event loop, once for each unit."""
