"""docs/operation.md names every metric with its labels, and no other."""

import re
from pathlib import Path

import pytest

from auth_service.telemetry.metrics import AuthMetrics
from resource_service.metrics import NotesMetrics
from tallystick.fastapi import VERDICTS
from tallystick_service.metrics import SharedCounters
from tallystick_service.metrics.processes import NAMES as PROCESS_NAMES
from tallystick_service.metrics.service import ServiceMetrics

OPERATION = (Path(__file__).parents[2] / "docs" / "operation.md").read_text("utf-8")

SERVICES = {
    "The auth service": AuthMetrics(None, version="1", endpoints=["/"]),
    "The notes API": NotesMetrics(None, version="1", endpoints=["/"]),
}


def documented(section: str) -> dict[str, list[str]]:
    """The metrics in the table of a section, with their labels."""
    text = OPERATION.partition(f"### {section}\n")[2].partition("\n##")[0]
    rows = re.findall(r"^\| `(tallystick_\w+)` \| ([\w, ]*?) ?\|", text, flags=re.M)
    return {name: labels.split(", ") if labels else [] for name, labels in rows}


def existing(service: ServiceMetrics) -> dict[str, list[str]]:
    return {**service.metrics.labels, **{key: ["process"] for key in PROCESS_NAMES}}


@pytest.mark.parametrize("section", SERVICES)
def test_document_names_every_metric_and_no_other(section: str) -> None:
    assert documented("Both services") | documented(section) == existing(SERVICES[section])


def test_metrics_of_both_services_are_documented_once() -> None:
    both = existing(ServiceMetrics(SharedCounters(), service="small", version="1", endpoints=["/"]))
    assert documented("Both services") == both


def test_alerts_and_texts_name_existing_metrics() -> None:
    known = {name for service in SERVICES.values() for name in existing(service)}
    mentioned = set(re.findall(r"tallystick_\w+(?=[^\w…]|$)", OPERATION)) - {"tallystick_process_"}
    assert mentioned <= known


def test_document_names_every_verdict() -> None:
    section = OPERATION.partition("The verdicts: ")[2].partition(". ")[0]
    assert re.findall(r"`(\w+)`", section) == [
        "accepted",
        *(verdict for verdict in VERDICTS if verdict != "accepted"),
    ]
