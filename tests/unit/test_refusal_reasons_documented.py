"""The table in docs/operation.md has exactly the refusal reasons."""

import re
from pathlib import Path

from auth_service.pages.developer_hints import HINTS
from tallystick.refusal_reasons import REASONS

OPERATION = Path(__file__).parents[2] / "docs/operation.md"


def test_every_reason_is_documented() -> None:
    text = OPERATION.read_text("utf-8")
    table = text[text.index("| reason | meaning") :].partition("\n\n")[0]
    first_cells = "\n".join(line.split("|")[1] for line in table.splitlines())
    assert set(re.findall(r"`(\w+)`", first_cells)) == REASONS


def test_every_hint_has_an_existing_reason() -> None:
    assert HINTS.keys() <= REASONS
