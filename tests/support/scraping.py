"""The metrics, as a Prometheus server reads them."""

from collections.abc import Awaitable, Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

Numbers = dict[str, float]


def numbers_in(text: str) -> Numbers:
    """Every sample, as `name{label="value",…}` with the labels in order."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def scrape(http: httpx.AsyncClient) -> Numbers:
    """Read /metrics. `http` is a caller on a loopback address."""
    response = await http.get("/metrics", headers={"Host": "localhost"})
    assert response.status_code == 200, response.text
    return numbers_in(response.text)


async def counted(http: httpx.AsyncClient, act: Callable[[], Awaitable[object]]) -> Numbers:
    """The increases of counters and gauges during `act`. Unchanged ones are left out."""
    before = await scrape(http)
    await act()
    after = await scrape(http)
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}
