"""What can go wrong below a unit of work, in words that its caller can pass on.

Everything else that a unit raises (IntegrityError, a refusal of its own) reaches the caller as it is.
"""

from tallystick.errors import InvalidRequest, TemporarilyUnavailable
from tallystick.refusal_reasons import Reason
from tallystick_service.store.observer import Outcome


class StoreUnavailable(TemporarilyUnavailable):
    """The database is away, full, locked or too slow, or too many units wait for it. `__cause__` tells which.

    Whether the unit took effect is unknown when the database went away during the commit or the deadline passed.
    """

    reason: Reason = "store_unavailable"

    def __init__(self, description: str = "", *, retry_after: int = 1, outcome: Outcome = "failed") -> None:
        super().__init__(description, retry_after=retry_after)
        self.outcome = outcome


class Unstorable(InvalidRequest):
    """A value that no database of ours keeps: text with a NUL or a lone surrogate, a number beyond 64 bits."""

    reason: Reason = "value_unstorable"
