"""Every reason is in the table of docs/operation.md, which has no other."""

import re
from pathlib import Path

from auth_service.pages.developer_hints import HINTS
from tallystick.refusal_reasons import REASONS

OPERATION = Path(__file__).parents[2] / "docs/operation.md"


def test_every_reason_is_documented() -> None:
    text = OPERATION.read_text("utf-8")
    table = text[text.index("| reason | what it means") :].partition("\n\n")[0]
    first_cells = "\n".join(line.split("|")[1] for line in table.splitlines())
    assert set(re.findall(r"`(\w+)`", first_cells)) == REASONS


def test_hints_are_for_reasons_that_exist() -> None:
    assert HINTS.keys() <= REASONS
