"""Counters, gauges and histograms in the shared memory of several processes."""

import pytest

from tallystick_service.metrics import Metrics, SharedCounters
from tallystick_service.metrics.service import ServiceMetrics
from tallystick_service.metrics.shared_counters import CELLS_PER_PROCESS
from tests.support.scraping import Numbers, numbers_in

COLOURS = ("red", "green", "other")


class Service(ServiceMetrics):
    """A small service with one or several processes."""

    def __init__(self, counters: SharedCounters | None = None) -> None:
        super().__init__(counters, service="small", version="1", endpoints=["/", "/things/{thing_id}"])
        self.seen = self.metrics.counter("small_seen_total", "Seen.", colour=COLOURS)
        self.depth = self.metrics.gauge("small_depth", "Depth.", merged="sum")
        self.age = self.metrics.gauge("small_age_seconds", "Age.", merged="max")
        self.took = self.metrics.histogram("small_took_seconds", "Took.", bounds=(0.1, 1))

    @property
    def numbers(self) -> Numbers:
        return numbers_in(self.render("")[0].decode())


def process(counters: SharedCounters, number: int) -> Service:
    """The service of the process with this number. The tests use one process."""
    counters.attach(number)
    service = Service(counters)
    counters.mark_alive()
    return service


def test_counter_counts_for_each_label_value() -> None:
    service = Service()
    service.seen.inc("red")
    service.seen.inc("red", by=2)
    assert service.numbers['small_seen_total{colour="red"}'] == 3
    assert service.numbers['small_seen_total{colour="green"}'] == 0


def test_undeclared_label_value_creates_no_series() -> None:
    service = Service()
    before = service.numbers
    for number in range(100):
        service.seen.inc(f"colour {number}")
    after = service.numbers
    assert after.keys() == before.keys()
    assert after['small_seen_total{colour="other"}'] == 100


def test_label_value_declared_twice_is_one_series() -> None:
    service = Service()
    paths = service.metrics.counter("small_paths_total", "Paths.", path=("/", "/", "/two"), method=("GET", "POST"))
    paths.inc("/two", "POST")
    risen = {name for name, value in service.numbers.items() if "small_paths" in name and value}
    assert risen == {'small_paths_total{method="POST",path="/two"}'}


def test_label_without_other_refuses_undeclared_values() -> None:
    with pytest.raises(KeyError):
        Metrics().counter("small_total", "Small.", colour=("red",)).inc("blue")


def test_bucket_includes_its_upper_bound() -> None:
    service = Service()
    for seconds in (0.05, 0.1, 0.5, 3):
        service.took.observe(seconds)
    numbers = service.numbers
    assert [numbers[f'small_took_seconds_bucket{{le="{end}"}}'] for end in ("0.1", "1.0", "+Inf")] == [2, 3, 4]
    assert (numbers["small_took_seconds_count"], numbers["small_took_seconds_sum"]) == (4, 3.65)


def test_gauge_that_was_never_set_is_not_shown() -> None:
    service = Service()
    assert "small_depth" not in service.numbers
    service.depth.set(0)
    assert service.numbers["small_depth"] == 0
    service.depth.set(None)
    assert "small_depth" not in service.numbers


def test_failing_collector_hides_no_other_gauge(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()

    def broken() -> None:
        raise ValueError("an unexpected failure")

    service.metrics.add_collector(broken)
    service.metrics.add_collector(lambda: service.depth.set(7))
    assert service.numbers["small_depth"] == 7
    assert "a gauge could not be set" in caplog.text


def test_metrics_of_several_processes_are_combined() -> None:
    counters = SharedCounters(2)
    one, two = process(counters, 0), process(counters, 1)
    for service, depth in ((one, 3), (two, 4)):
        service.seen.inc("green")
        service.took.observe(0.2)
        service.depth.set(depth)
        service.age.set(depth)
    for service in (one, two):
        numbers = service.numbers
        assert numbers['small_seen_total{colour="green"}'] == 2
        assert numbers['small_took_seconds_bucket{le="1.0"}'] == numbers["small_took_seconds_count"] == 2
        assert (numbers["small_depth"], numbers["small_age_seconds"]) == (7, 4)
        assert numbers["tallystick_processes"] == 2


def test_exited_process_keeps_its_counters_and_loses_its_gauges() -> None:
    counters = SharedCounters(2)
    one, two = process(counters, 0), process(counters, 1)
    one.seen.inc("red")
    two.seen.inc("red")
    two.depth.set(4)
    counters.mark_dead(1)
    assert one.numbers['small_seen_total{colour="red"}'] == 2
    assert "small_depth" not in one.numbers
    assert one.numbers["tallystick_processes"] == 1


def test_replacement_continues_the_counters_and_resets_the_gauges() -> None:
    counters = SharedCounters(2)
    one, two = process(counters, 0), process(counters, 1)
    two.seen.inc("red")
    two.depth.set(4)
    counters.mark_dead(1)
    replacement = process(counters, 1)
    assert "small_depth" not in one.numbers
    replacement.seen.inc("red")
    assert one.numbers['small_seen_total{colour="red"}'] == 2
    assert one.numbers["tallystick_processes"] == 2


def test_starting_process_does_not_show_the_gauges_of_the_one_before() -> None:
    counters = SharedCounters(2)
    one, two = process(counters, 0), process(counters, 1)
    two.depth.set(4)
    two.seen.inc("red")
    counters.mark_dead(1)
    counters.attach(1)
    assert "small_depth" not in one.numbers
    assert one.numbers["tallystick_processes"] == 1
    assert one.numbers['small_seen_total{colour="red"}'] == 1


def test_during_a_reload_one_process_more_than_the_workers_is_counted() -> None:
    counters = SharedCounters(2)
    services = [process(counters, number) for number in range(3)]
    for service in services:
        service.seen.inc("red")
    assert services[0].numbers['small_seen_total{colour="red"}'] == 3
    assert services[0].numbers["tallystick_processes"] == 3
    counters.mark_dead(0)
    replacement = process(counters, 0)
    replacement.seen.inc("red")
    assert services[2].numbers['small_seen_total{colour="red"}'] == 4


def test_more_series_than_cells_raise() -> None:
    metrics = Metrics()
    with pytest.raises(ValueError, match="more series than cells"):
        metrics.counter("small_total", "Small.", number=[str(number) for number in range(CELLS_PER_PROCESS)])


def test_request_is_counted_by_its_path_template() -> None:
    service = Service()
    before = service.numbers.keys()

    class Route:
        path = "/things/{thing_id}"

    requests, endpoint = service.requests, service.requests.endpoint
    for number in range(1000):
        requests.count(endpoint({"path": f"/things/{number}", "route": Route}), "GET", 200, 0.002)
        requests.count(endpoint({"path": f"/{number}"}), f"X{number}", 404 + number, 0.002)
    requests.count(endpoint({"path": "/"}), "POST", 0, 0.002)
    new = service.numbers.keys() - before
    counted = {name for name in new if name.startswith("tallystick_requests_total")}
    assert 'tallystick_requests_total{endpoint="/things/{thing_id}",method="GET",status="200"}' in counted
    assert 'tallystick_requests_total{endpoint="/",method="POST",status="none"}' in counted
    assert len(counted) < 20
    assert len(new) < 80
