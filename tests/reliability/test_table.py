"""The report of a scenario, and the table of all reports in a document."""

from pathlib import Path

import pytest

from tests.reliability.report import Report
from tests.reliability.table import BEGIN, END, Row, as_text, rewrite_table


def test_one_failed_check_fails_the_outcome() -> None:
    report = Report()
    for attempt in range(3):
        report.check("it works", True)
        report.check("it lasts", attempt != 1, f"attempt {attempt}")
    outcome = report.outcome("a fault", "done three times")
    assert not outcome.passed
    assert outcome.checks == ("it works (3×)", "FAILED: it lasts: 1 of 3 times, first: attempt 1")
    assert as_text(Row("sqlite", outcome)).startswith("FAILED  a fault, on sqlite")


def test_outcome_without_checks_has_not_passed() -> None:
    assert not Report().outcome("a fault", "nothing was done").passed


def test_rewrite_replaces_only_the_table_of_the_document(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    rewrite_table(document, [Row("sqlite", None, skipped="not here")])
    text = document.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| fault |")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    document.write_text("no marks")
    with pytest.raises(ValueError, match="does not contain"):
        rewrite_table(document, [])
