"""The notes API's own numbers, beside those that both services have."""

from collections.abc import Callable, Iterable

from tallystick.fastapi import VERDICTS, IssuerHealth
from tallystick_service.metrics import SharedCounters
from tallystick_service.metrics.metrics import OTHER
from tallystick_service.metrics.service import ServiceMetrics

FETCHED = ("jwks", "status_list", "status_list_aggregation")


class NotesMetrics(ServiceMetrics):
    def __init__(self, counters: SharedCounters | None, *, version: str, endpoints: Iterable[str]) -> None:
        super().__init__(counters, service="resource_service", version=version, endpoints=endpoints)
        counter, gauge = self.metrics.counter, self.metrics.gauge
        self.verdicts = counter(
            "tallystick_verifier_verdicts_total",
            "Requests to what needs an access token: accepted, or refused, and why.",
            verdict=(*VERDICTS, OTHER),
        )
        self._keys_age = gauge(
            "tallystick_verifier_keys_age_seconds",
            "Since the issuer told its keys, or the start; of the process that waits longest.",
            merged="max",
        )
        self._status_list_age = gauge(
            "tallystick_verifier_status_list_age_seconds",
            "Since the oldest status list in use was signed, or, while there is none, since it was first wanted.",
            merged="max",
        )
        self._failing_closed = gauge(
            "tallystick_verifier_failing_closed",
            "1 while tokens are refused because the status list is too old (fail_closed), in any process.",
            merged="max",
        )
        self._failed_fetches = counter(
            "tallystick_verifier_failed_fetches_total",
            "Fetches from the issuer that came to nothing; the last good keys or list stayed.",
            fetched=(*FETCHED, OTHER),
        )

    def watch_issuer(self, health: Callable[[], IssuerHealth]) -> None:
        """Collect the health of the issuer with every scrape."""
        counted: dict[str, int] = {}

        def collect() -> None:
            now = health()
            self._keys_age.set(now.keys_age)
            self._status_list_age.set(now.status_age)
            self._failing_closed.set(now.is_failing_closed)
            for fetched, failures in now.failed_fetches.items():
                self._failed_fetches.inc(fetched, by=failures - counted.get(fetched, 0))
                counted[fetched] = failures

        self.metrics.add_collector(collect)
