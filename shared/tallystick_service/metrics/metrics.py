"""Counters, gauges and histograms whose series are all known at the start.

A label has a fixed set of values. Any other value counts as `other`, so callers cannot create series. Each series has
its cell in `SharedCounters`, at the same place in every process that declares the same metrics in the same order.
"""

import logging
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, product
from typing import Literal, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from tallystick_service.metrics.shared_counters import CELLS_PER_PROCESS, FIRST_FREE_CELL, Part, SharedCounters

logger = logging.getLogger(__name__)

OTHER = "other"
_MERGE_FUNCTIONS: dict[str, Callable[[Sequence[float]], float]] = {"sum": math.fsum, "max": max, "min": min}

Labels = tuple[str, ...]


class _Family(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def label_names(self) -> list[str]: ...

    def collect(self, parts: Sequence[Part]) -> Metric: ...


class Metrics:
    """The metrics of one app, in its own part of `counters`."""

    def __init__(self, counters: SharedCounters | None = None) -> None:
        self.counters = counters or SharedCounters()
        self._cells = self.counters.own
        self._free = FIRST_FREE_CELL
        self._families: list[_Family] = []
        self._collectors: list[Callable[[], None]] = []

    def counter(self, name: str, documentation: str, *, is_sparse: bool = False, **labels: Sequence[str]) -> "Counter":
        """`name` ends in `_total`. `is_sparse`: show only the series that are not zero."""
        counter = Counter(name, documentation, self._allocate(labels), is_sparse)
        self._families.append(counter)
        return counter

    def gauge(
        self, name: str, documentation: str, *, merged: Literal["sum", "max", "min"], **labels: Sequence[str]
    ) -> "Gauge":
        """`merged`: how the values of several processes are combined."""
        gauge = Gauge(name, documentation, self._allocate(labels), merged)
        self._families.append(gauge)
        return gauge

    def histogram(
        self,
        name: str,
        documentation: str,
        *,
        bounds: Sequence[float],
        is_sparse: bool = False,
        **labels: Sequence[str],
    ) -> "Histogram":
        """`bounds` are the upper bounds of the buckets in ascending order, without infinity."""
        histogram = Histogram(name, documentation, self._allocate(labels, stride=len(bounds) + 2), bounds, is_sparse)
        self._families.append(histogram)
        return histogram

    def add_collector(self, collector: Callable[[], None]) -> None:
        """`collector` sets gauges. It is called before the metrics are rendered, and by `ServiceMetrics.published`."""
        self._collectors.append(collector)

    def run_collectors(self) -> None:
        for collector in self._collectors:
            try:
                collector()
            except Exception:  # a failing collector must not hide the other metrics
                logger.exception("a gauge could not be set")

    @property
    def labels(self) -> dict[str, list[str]]:
        """The label names of each metric, by its name."""
        return {family.name: family.label_names for family in self._families}

    def collect(self) -> Iterator[Metric]:
        """The metrics over all processes, as prometheus-client's encoders expect them."""
        self.run_collectors()
        parts = self.counters.parts()
        for family in self._families:
            yield family.collect(parts)

    def _allocate(self, labels: dict[str, Sequence[str]], *, stride: int = 1) -> "_Allocation":
        series = _numbered(tuple(map(tuple, labels.values())))
        first, self._free = self._free, self._free + stride * len(series)
        if self._free > CELLS_PER_PROCESS:
            raise ValueError("there are more series than cells")
        return _Allocation(labels, series, self._cells, first)


@cache  # several metrics have the same labels, and thousands of series
def _numbered(values: tuple[Labels, ...]) -> Mapping[Labels, int]:
    return {series: number for number, series in enumerate(dict.fromkeys(product(*values)))}


@dataclass(frozen=True)
class _Allocation:
    """The cells of one metric: from `first` on, each series by its number in `series`."""

    labels: dict[str, Sequence[str]]
    series: Mapping[Labels, int]
    cells: "memoryview[float]"
    first: int


class _Labelled:
    def __init__(
        self,
        name: str,
        documentation: str,
        allocation: "_Allocation",
    ) -> None:
        self.name = name
        self._documentation = documentation
        self.label_names = list(allocation.labels)
        self._labels = allocation.labels
        self._series = allocation.series
        self._cells = allocation.cells
        self._first = allocation.first

    def number(self, values: Labels) -> int:
        """The number of the series. An undeclared value counts as `other`. KeyError if that is undeclared, too."""
        number = self._series.get(values)
        if number is not None:
            return number
        known = zip(values, self._labels.values(), strict=True)
        return self._series[tuple(value if value in declared else OTHER for value, declared in known)]


class Counter(_Labelled):
    def __init__(
        self,
        name: str,
        documentation: str,
        allocation: "_Allocation",
        is_sparse: bool,
    ) -> None:
        if not name.endswith("_total"):
            raise ValueError(f"{name} does not end in _total")
        super().__init__(name, documentation, allocation)
        self._is_sparse = is_sparse

    def inc(self, *values: str, by: float = 1) -> None:
        """Add `by`. `values` are the label values in the order of their declaration."""
        self._cells[self._first + self.number(values)] += by

    def collect(self, parts: Sequence[Part]) -> Metric:
        family = CounterMetricFamily(self.name, self._documentation, labels=self.label_names)
        totals = _totals(parts, self._first, len(self._series))
        for values, total in zip(self._series, totals, strict=True):
            if total or not self._is_sparse:
                family.add_metric(values, total)
        return family


class Gauge(_Labelled):
    """A series that was never set, or set to None, is not shown."""

    def __init__(
        self,
        name: str,
        documentation: str,
        allocation: "_Allocation",
        merged: Literal["sum", "max", "min"],
    ) -> None:
        super().__init__(name, documentation, allocation)
        self._merged = _MERGE_FUNCTIONS[merged]
        for number in self._series.values():  # the process before may have left values
            self._cells[self._first + number] = math.nan

    def set(self, value: float | None, *values: str) -> None:
        self._cells[self._first + self.number(values)] = math.nan if value is None else value

    def collect(self, parts: Sequence[Part]) -> Metric:
        family = GaugeMetricFamily(self.name, self._documentation, labels=self.label_names)
        for values, number in self._series.items():
            present = [part.cells[self._first + number] for part in parts if part.pid]
            present = [value for value in present if not math.isnan(value)]
            if present:
                family.add_metric(values, self._merged(present))
        return family


class Histogram(_Labelled):
    """Each series has the buckets, including the one up to infinity, and the sum."""

    def __init__(
        self,
        name: str,
        documentation: str,
        allocation: "_Allocation",
        bounds: Sequence[float],
        is_sparse: bool,
    ) -> None:
        super().__init__(name, documentation, allocation)
        self._bounds = tuple(bounds)
        self._stride = len(bounds) + 2
        self._is_sparse = is_sparse

    def observe(self, value: float, *values: str) -> None:
        self.observe_in(self.number(values), value)

    def observe_in(self, number: int, value: float) -> None:
        """Like `observe`, for callers that know the `number` of the series."""
        first = self._first + number * self._stride
        self._cells[first + bisect_left(self._bounds, value)] += 1
        self._cells[first + self._stride - 1] += value

    def collect(self, parts: Sequence[Part]) -> Metric:
        family = HistogramMetricFamily(self.name, self._documentation, labels=self.label_names)
        bounds = [*map(str, map(float, self._bounds)), "+Inf"]
        totals = _totals(parts, self._first, len(self._series) * self._stride)
        for values, number in self._series.items():
            *counts, total = totals[number * self._stride : (number + 1) * self._stride]
            counts = list(accumulate(counts))
            if counts[-1] or not self._is_sparse:
                family.add_metric(values, buckets=list(zip(bounds, counts, strict=True)), sum_value=total)
        return family


def _totals(parts: Sequence[Part], first: int, count: int) -> list[float]:
    return [sum(cells) for cells in zip(*(part.cells[first : first + count] for part in parts), strict=True)]
