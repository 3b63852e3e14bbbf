"""The table of faults: for a terminal, and for the document that keeps it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.outcome import Outcome

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
"""In the document; between them stands what `--write` replaces."""


@dataclass(frozen=True)
class Row:
    """`minutes` that the scenario took on `engine`; or why it was `skipped` there, or what ended it before its end."""

    engine: str
    outcome: Outcome | None
    minutes: float = 0.0
    skipped: str = ""
    broke_off: str = ""

    @property
    def missing(self) -> str:
        return f"broke off: {self.broke_off}" if self.broke_off else f"skipped: {self.skipped}"


def as_text(row: Row) -> str:
    if row.outcome is None:
        return f"NOT DONE  on {row.engine}, {row.missing}\n"
    outcome = row.outcome
    lines = [f"{'held' if outcome.held else 'NOT HELD'}  {outcome.name}, on {row.engine} ({row.minutes:.1f} min)"]
    lines += [f"      {outcome.done}"]
    lines += [f"    - {words}" for words in outcome.words]
    lines += [f"    = {figure}" for figure in outcome.figures]
    return "\n".join([*lines, ""])


def as_markdown(rows: Iterable[Row]) -> str:
    lines = ["| fault | store | what was done | what held | figures |", "|---|---|---|---|---|"]
    for row in rows:
        outcome = row.outcome
        if outcome is None:
            lines.append(f"| | {row.engine} | {row.missing} | | |")
            continue
        words = "<br>".join(outcome.words)
        figures = "<br>".join(outcome.figures)
        verdict = "" if outcome.held else "**did not hold**<br>"
        lines.append(f"| {outcome.name} | {row.engine} | {outcome.done} | {verdict}{words} | {figures} |")
    return "\n".join(lines)


def rewrite(document: Path, rows: Iterable[Row]) -> None:
    """Put the table of `rows` between the two marks. Raises ValueError when the document has none."""
    before, begin, rest = document.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{document} has no place for a table between {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{as_markdown(rows)}\n{END}{after}", "utf-8")
