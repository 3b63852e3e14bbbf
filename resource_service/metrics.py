"""The metrics of the notes API, in addition to those of every service."""

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
            "Requests that need an access token, by verdict: accepted, or the reason of the refusal.",
            verdict=(*VERDICTS, OTHER),
        )
        self._keys_age = gauge(
            "tallystick_verifier_keys_age_seconds",
            "Seconds since the last fetch of the keys, or since the start; the maximum of all processes.",
            merged="max",
        )
        self._status_list_age = gauge(
            "tallystick_verifier_status_list_age_seconds",
            "Seconds since the oldest status list was signed, or since a missing one was first named.",
            merged="max",
        )
        self._failing_closed = gauge(
            "tallystick_verifier_failing_closed",
            "1 while any process refuses tokens because a status list is too old (fail_closed).",
            merged="max",
        )
        self._failed_fetches = counter(
            "tallystick_verifier_failed_fetches_total",
            "Failed fetches from the issuer. The last good keys or lists stay.",
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
