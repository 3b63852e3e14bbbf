"""The notes API's own numbers, beside those that both services have."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tallystick.fastapi import VERDICTS
from tallystick.metrics import Memory
from tallystick.metrics.service import ServiceMetrics

FETCH_FAILURES = ("unreachable", "timeout", "status", "too_large", "malformed", "signature", "other")
"""Why the keys or the status list could not be taken over."""
WHAT_IS_FETCHED = ("keys", "status_list")


@dataclass(frozen=True)
class VerifierFacts:
    """What the verifier says of itself, asking nobody. Ages in seconds, None for what it never had."""

    keys_age: float | None = None
    status_list_age: float | None = None
    is_failing_closed: bool = False
    fetch_failures: dict[tuple[str, str], int] = field(default_factory=dict)
    """So far, by what was fetched and why it failed."""


class NotesMetrics(ServiceMetrics):
    def __init__(self, memory: Memory | None, *, version: str, endpoints: Iterable[str]) -> None:
        super().__init__(memory, service="resource_service", version=version, endpoints=endpoints)
        counter, gauge = self.metrics.counter, self.metrics.gauge
        self.verdicts = counter(
            "tallystick_verdicts_total",
            "Requests to what needs an access token: accepted, or refused, and why.",
            verdict=VERDICTS,
        )
        self._keys_age = gauge(
            "tallystick_keys_age_seconds",
            "Since the issuer told its keys; of the process that waits longest.",
            merged="max",
        )
        self._status_list_age = gauge(
            "tallystick_verifier_status_list_age_seconds",
            "Since the status list that is gone by was signed; of the process with the oldest.",
            merged="max",
        )
        self._failing_closed = gauge(
            "tallystick_verifier_failing_closed",
            "1 while tokens are refused because the status list is too old (fail_closed), in any process.",
            merged="max",
        )
        self._fetch_failures = counter(
            "tallystick_fetch_failures_total",
            "Fetches of keys or of the status list that came to nothing; the last good one stayed.",
            what=WHAT_IS_FETCHED,
            reason=FETCH_FAILURES,
        )
        self._counted: dict[tuple[str, str], int] = {}

    def count_verdict(self, verdict: str) -> None:
        self.verdicts.inc(verdict)

    def watch_verifier(self, facts: Callable[[], VerifierFacts]) -> None:
        def look() -> None:
            now = facts()
            self._keys_age.set(now.keys_age)
            self._status_list_age.set(now.status_list_age)
            self._failing_closed.set(now.is_failing_closed)
            for key, failures in now.fetch_failures.items():
                self._fetch_failures.inc(*key, by=failures - self._counted.get(key, 0))
                self._counted[key] = failures

        self.metrics.watch(look)
