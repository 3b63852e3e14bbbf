"""The number of requests by endpoint, method and status, and their duration."""

from collections.abc import Iterable, Mapping
from typing import Any

from tallystick_service.asgi.endpoints import template_of
from tallystick_service.metrics.metrics import OTHER, Metrics

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", OTHER)
_GOOD = (200, 201, 204, 303, 304, 307)
_BAD = (400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428, 429, 500, 501, 502, 503)
STATUSES = (*map(str, _GOOD + _BAD), "none", OTHER)
"""`none`: there was no response, because the client had disconnected."""
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5)
"""Seconds."""


class RequestMetrics:
    """`endpoints` are the path templates of the application's routes."""

    def __init__(self, metrics: Metrics, endpoints: Iterable[str]) -> None:
        known = [*dict.fromkeys(endpoints), OTHER]
        self._requests = metrics.counter(
            "tallystick_requests_total",
            "Requests, with and without a response.",
            is_sparse=True,
            endpoint=known,
            method=METHODS,
            status=STATUSES,
        )
        self._seconds = metrics.histogram(
            "tallystick_request_duration_seconds",
            "From the headers of a request to the last byte of its response.",
            is_sparse=True,
            bounds=BOUNDS,
            endpoint=known,
        )
        self._numbers = {endpoint: number for number, endpoint in enumerate(known)}
        self._status_names = {int(status): status for status in STATUSES if status.isdigit()} | {0: "none"}

    def count(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """`endpoint` as `endpoint()` returns it; others count as OTHER. `status` 0: there was no response."""
        endpoint = endpoint if endpoint in self._numbers else OTHER
        self._seconds.observe_in(self._numbers[endpoint], seconds)
        self._requests.inc(endpoint, method, self._status_names.get(status, OTHER))

    def endpoint(self, scope: Mapping[str, Any]) -> str:
        """The endpoint of a request: its path, or the route's template if the path has parameters."""
        path: str = scope["path"]
        if path not in self._numbers:
            path = template_of(scope)
        return path if path in self._numbers else OTHER
