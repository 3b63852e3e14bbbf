"""Text for an operator's terminal."""

import pytest

from tallystick_service.settings import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Notes – Ünïcode アプリ", "Notes – Ünïcode アプリ"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\x9b2Jb", r"a\x9b2Jb"),
        ("a\u202eb", r"a\u202eb"),
        ("two\nlines\r", r"two\nlines\r"),
        ("a\u2028b\u00a0c", r"a\u2028b\xa0c"),
        ("a\u200bb", r"a\u200bb"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("", ""),
    ],
)
def test_characters_that_a_terminal_interprets_or_hides_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
