"""Numbers for whoever watches a service (Prometheus): counted for next to nothing, right with several processes.

Importing this needs `prometheus-client`, which renders them; they are kept in memory of our own.
"""

from tallystick_service.metrics.metrics import Counter, Gauge, Histogram, Metrics
from tallystick_service.metrics.shared_counters import SharedCounters

__all__ = ["Counter", "Gauge", "Histogram", "Metrics", "SharedCounters"]
