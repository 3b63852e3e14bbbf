"""The table of results, for a terminal and for docs/reliability.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.report import Outcome

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
"""The marks in the document between which `rewrite_table` writes."""


@dataclass(frozen=True)
class Row:
    """One run of a scenario on `engine`, with either its outcome, the reason why it was skipped, or its error."""

    engine: str
    outcome: Outcome | None
    minutes: float = 0.0
    skipped: str = ""
    error: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.error) or (self.outcome is not None and not self.outcome.passed)

    @property
    def reason(self) -> str:
        return f"error: {self.error}" if self.error else f"skipped: {self.skipped}"


def as_text(row: Row) -> str:
    if row.outcome is None:
        return f"NOT DONE  on {row.engine}, {row.reason}\n"
    outcome = row.outcome
    lines = [f"{'passed' if outcome.passed else 'FAILED'}  {outcome.name}, on {row.engine} ({row.minutes:.1f} min)"]
    lines += [f"      {outcome.action}"]
    lines += [f"    - {check}" for check in outcome.checks]
    lines += [f"    = {figure}" for figure in outcome.figures]
    return "\n".join([*lines, ""])


def as_markdown(rows: Iterable[Row]) -> str:
    lines = ["| fault | store | what was done | what held | figures |", "|---|---|---|---|---|"]
    for row in rows:
        outcome = row.outcome
        if outcome is None:
            lines.append(f"| | {row.engine} | {row.reason} | | |")
            continue
        checks = "<br>".join(outcome.checks)
        figures = "<br>".join(outcome.figures)
        verdict = "" if outcome.passed else "**FAILED**<br>"
        lines.append(f"| {outcome.name} | {row.engine} | {outcome.action} | {verdict}{checks} | {figures} |")
    return "\n".join(lines)


def rewrite_table(document: Path, rows: Iterable[Row]) -> None:
    """Replace the table between the two marks. Raises ValueError when the document has no marks."""
    before, begin, rest = document.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{document} does not contain {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{as_markdown(rows)}\n{END}{after}", "utf-8")
