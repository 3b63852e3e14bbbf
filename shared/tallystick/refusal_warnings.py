"""Log why an API refuses access tokens: one line a minute for each reason."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from tallystick.errors import InvalidToken
from tallystick.jwt import ACCESS_TOKEN, parse_unverified
from tallystick.refusal_reasons import Reason
from tallystick.urls import printable_address

log = logging.getLogger("tallystick.refusals")

INTERVAL_SECONDS = 60.0
"""Between two lines of one reason. An API has fewer than 20 reasons, so the number of lines is bounded."""
MAX_TEXT = 200
"""Characters of a claim that are logged."""

_ROUTINE: frozenset[Reason] = frozenset({"expired", "no_token", "revoked", "insufficient_user_authentication"})
"""Reasons that clients cause in normal operation: INFO instead of WARNING."""

_EXPLAINED_BY_CLAIMS: frozenset[Reason] = frozenset({"wrong_audience", "wrong_issuer", "unknown_key"})


class RefusalWarnings:
    """The lines of one verifier. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: dict[Reason, float] = {}
        self._left_out: dict[Reason, int] = {}

    def is_due(self, reason: Reason) -> bool:
        """Whether a line for `reason` may be written now. If not, the refusal is counted for the next line."""
        if self._clock() < self._next.get(reason, 0.0):
            self._left_out[reason] = self._left_out.get(reason, 0) + 1
            return False
        return True

    def write(self, reason: Reason, **details: object) -> None:
        """Write a line. `details` are shown as name and value, escaped and bounded. None may be secret or personal."""
        self._next[reason] = self._clock() + INTERVAL_SECONDS
        fields: dict[str, object] = {"reason": reason, **{name: _shown(value) for name, value in details.items()}}
        if left_out := self._left_out.pop(reason, 0):
            fields["left_out"] = left_out
        text = ", ".join(f"{name} {value}" for name, value in fields.items() if name != "reason")
        level = logging.INFO if reason in _ROUTINE else logging.WARNING
        log.log(level, "refused an access token: %s%s", reason, f" ({text})" if text else "", extra={"fields": fields})

    def explain(self, token: str, reason: Reason, *, issuer: str, audience: str) -> None:
        """Write a line if it is due, with `aud` and `iss` of the token where they are the reason.

        These two claims name services. With an unknown key they are unverified text: only the address in `iss` is
        logged, without its query, to tell which issuer the client used.
        """
        if not self.is_due(reason):
            return
        details: dict[str, object] = {}
        if reason in _EXPLAINED_BY_CLAIMS:
            claims: dict[str, object] = {}
            with suppress(InvalidToken):
                claims = parse_unverified(token, ACCESS_TOKEN)
            if reason == "unknown_key":
                claims = {"iss": printable_address(str(claims.get("iss")))}
            details = {
                "token_audience": claims.get("aud"),
                "expected_audience": audience,
                "token_issuer": claims.get("iss"),
                "expected_issuer": issuer,
            }
        self.write(reason, **details)


def _shown(value: object) -> str:
    """`value` in printable ASCII, at most MAX_TEXT characters. A claim may hold anything, for example a line break."""
    text = value if isinstance(value, str) else repr(value)
    text = text[: MAX_TEXT + 1].encode("unicode_escape").decode("ascii")
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."
