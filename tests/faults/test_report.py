"""The table of faults: what did not hold stands out, and the document around it is left alone."""

from pathlib import Path

import pytest

from tests.reliability.outcome import Findings
from tests.reliability.report import BEGIN, END, Row, as_text, rewrite


def test_a_promise_is_held_only_if_it_was_held_each_time(tmp_path: Path) -> None:
    findings = Findings()
    for attempt in range(3):
        findings.promise("it works", True)
        findings.promise("it lasts", attempt != 1, f"attempt {attempt}")
    outcome = findings.outcome("a fault", "done three times")
    assert not outcome.held
    assert outcome.words == ("it works (3×)", "NOT HELD: it lasts: broken 1 of 3 times, first by attempt 1")
    assert as_text(Row("sqlite", outcome)).startswith("NOT HELD  a fault, on sqlite")


def test_a_scenario_that_tested_nothing_has_not_held() -> None:
    assert not Findings().outcome("a fault", "nothing was done").held


def test_only_the_table_of_the_document_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    rewrite(document, [Row("sqlite", None, skipped="not here")])
    text = document.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| fault |")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    document.write_text("no place")
    with pytest.raises(ValueError, match="no place"):
        rewrite(document, [])
