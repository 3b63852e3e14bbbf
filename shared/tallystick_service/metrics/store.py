"""Number, duration, outcome and queue length of the units of work."""

from collections.abc import Callable, Mapping

from tallystick_service.metrics.metrics import Metrics

KINDS = ("read", "write")
QUEUES = (*KINDS, "any")
OUTCOMES = ("done", "refused", "abandoned", "failed")
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.5, 10.0, 60.0)
"""Seconds."""


class StoreMetrics:
    """A `StoreObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._units = metrics.counter(
            "tallystick_store_units_total",
            "Units of work: done; refused, because too many waited; abandoned, because of the deadline or a cancelled"
            " caller; failed, because the database was unreachable, full or locked.",
            kind=KINDS,
            outcome=OUTCOMES,
        )
        self._seconds = metrics.histogram(
            "tallystick_store_unit_duration_seconds",
            "From the submission of a unit of work to its commit, including the time in the queue.",
            bounds=BOUNDS,
            kind=KINDS,
        )
        self._waiting = metrics.gauge(
            "tallystick_store_units_waiting",
            "Units of work in the queue; one for both kinds (any) on PostgreSQL.",
            merged="sum",
            lane=QUEUES,
        )

    def unit_ended(self, *, writes: bool, seconds: float, outcome: str) -> None:
        self._units.inc(KINDS[writes], outcome)
        if outcome != "refused":  # a refused unit takes no time, and would make a full store look fast
            self._seconds.observe_in(writes, seconds)

    def observe_queues(self, waiting: Callable[[], Mapping[str, int]]) -> None:
        """`waiting` returns the lengths of the queues by their names."""

        def collect() -> None:
            for queue, length in waiting().items():
                self._waiting.set(length, queue)

        self._metrics.add_collector(collect)
