"""Why an API refuses access tokens, in its log: one line a minute for each reason."""

import logging
import time
from collections.abc import Callable

from tallystick.refusal_reasons import Reason

log = logging.getLogger("tallystick.refusals")

INTERVAL = 60.0
"""Seconds between two lines of one reason. There are fewer than 20 reasons at an API, so their number is bounded."""
MAX_TEXT = 200
"""Characters of a claim that are logged."""

_ROUTINE: frozenset[Reason] = frozenset({"expired", "no_token", "revoked", "insufficient_user_authentication"})
"""Reasons that clients cause in normal operation: INFO instead of WARNING."""


class RefusalWarnings:
    """One for each verifier. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: dict[Reason, float] = {}
        self._left_out: dict[Reason, int] = {}

    def is_due(self, reason: Reason) -> bool:
        """Whether a line for `reason` may be written now; otherwise the refusal is counted for the next line."""
        if self._clock() < self._next.get(reason, 0.0):
            self._left_out[reason] = self._left_out.get(reason, 0) + 1
            return False
        return True

    def write(self, reason: Reason, **details: object) -> None:
        """Write the line. `details` are shown as name and value, escaped and bounded: nothing secret or personal."""
        self._next[reason] = self._clock() + INTERVAL
        fields: dict[str, object] = {"reason": reason, **{name: shown(value) for name, value in details.items()}}
        if left_out := self._left_out.pop(reason, 0):
            fields["left_out"] = left_out
        text = ", ".join(f"{name} {value}" for name, value in fields.items() if name != "reason")
        level = logging.INFO if reason in _ROUTINE else logging.WARNING
        log.log(level, "refused an access token: %s%s", reason, f" ({text})" if text else "", extra={"fields": fields})


def shown(value: object) -> str:
    """`value` in printable ASCII, at most MAX_TEXT characters: a claim may hold anything, a line break included."""
    text = value if isinstance(value, str) else repr(value)
    text = text[: MAX_TEXT + 1].encode("unicode_escape").decode("ascii")
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."
