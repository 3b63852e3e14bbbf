"""Metrics for Prometheus that are cheap to count and correct over several processes.

They are kept in shared memory (ADR 25). `prometheus-client` renders them.
"""

from tallystick_service.metrics.metrics import Counter, Gauge, Histogram, Metrics
from tallystick_service.metrics.shared_counters import SharedCounters

__all__ = ["Counter", "Gauge", "Histogram", "Metrics", "SharedCounters"]
