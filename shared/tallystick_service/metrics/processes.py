"""Start time, memory, processor time and open files of each process, from the operating system."""

from collections.abc import Iterator
from functools import partial

from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector

from tallystick_service.metrics.shared_counters import SharedCounters

NAMES = (
    "tallystick_process_virtual_memory_bytes",
    "tallystick_process_resident_memory_bytes",
    "tallystick_process_start_time_seconds",
    "tallystick_process_cpu_seconds_total",
    "tallystick_process_open_fds",
    "tallystick_process_max_fds",
)
"""In this order. Without /proc there are none."""


def collect_processes(counters: SharedCounters) -> Iterator[Metric]:
    """With the label `process`: the number of the worker, which a replacement keeps."""
    families: dict[str, Metric] = {}
    for part in counters.parts():
        if not part.pid:
            continue
        for found in ProcessCollector("tallystick", pid=partial(int, part.pid), registry=None).collect():
            family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
            for sample in found.samples:
                family.add_sample(sample.name, {"process": str(part.number)}, sample.value)
    yield from families.values()
