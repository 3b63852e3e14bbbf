"""Errors of the database that a caller of the store can answer with.

Everything else that a unit of work raises (IntegrityError, a refusal of its own) reaches the caller unchanged.
"""

from tallystick.errors import InvalidRequest, TemporarilyUnavailable
from tallystick.refusal_reasons import Reason
from tallystick_service.store.observer import Outcome


class StoreUnavailable(TemporarilyUnavailable):
    """The database is unreachable, full, locked or too slow, or too many units wait for it. `__cause__` is the reason.

    It is unknown whether the unit took effect when the connection was lost during the commit or the deadline passed.
    """

    reason: Reason = "store_unavailable"

    def __init__(self, description: str = "", *, retry_after: int = 1, outcome: Outcome = "failed") -> None:
        super().__init__(description, retry_after=retry_after)
        self.outcome = outcome


class Unstorable(InvalidRequest):
    """A value that SQLite or PostgreSQL cannot store: text with a NUL or a lone surrogate, a number beyond 64 bits."""

    reason: Reason = "value_unstorable"
