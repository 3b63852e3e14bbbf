"""The metrics that both services have, and their rendering."""

import asyncio
import platform
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tallystick_service.metrics.metrics import Metrics
from tallystick_service.metrics.processes import collect_processes
from tallystick_service.metrics.requests import RequestMetrics
from tallystick_service.metrics.shared_counters import SharedCounters
from tallystick_service.metrics.store import StoreMetrics
from tallystick_service.tasks.background_task import background_task

PUBLISH_INTERVAL = 1.0
"""Seconds between two updates of the gauges that other processes render."""


class ServiceMetrics(Collector):
    """`endpoints` are the paths of the application's routes. A service derives from it and adds its own metrics."""

    def __init__(
        self, counters: SharedCounters | None, *, service: str, version: str, endpoints: Iterable[str]
    ) -> None:
        self.metrics = Metrics(counters)
        build = self.metrics.gauge(
            "tallystick_build_info",
            "Which program this is; the number is always 1.",
            merged="max",
            service=[service],
            version=[version],
            python=[platform.python_version()],
        )
        build.set(1, service, version, platform.python_version())
        processes = self.metrics.gauge("tallystick_processes", "Processes that serve.", merged="sum")
        processes.set(1)
        self.requests = RequestMetrics(self.metrics, endpoints)
        self.store = StoreMetrics(self.metrics)

    def collect(self) -> Iterator[Metric]:
        yield from self.metrics.collect()
        yield from collect_processes(self.metrics.counters)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics of all processes in the format that an Accept header asks for, and its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(self), media_type

    @asynccontextmanager
    async def published(self) -> AsyncIterator[None]:
        """Update the gauges every second during this context, so that the other processes can render them."""
        if self.metrics.counters.processes == 1:
            yield
            return
        async with background_task(self._publish()):
            yield

    async def _publish(self) -> None:
        while True:
            self.metrics.run_collectors()
            await asyncio.sleep(PUBLISH_INTERVAL)
