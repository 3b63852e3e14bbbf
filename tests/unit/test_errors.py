"""How an error description quotes a value of the caller (RFC 6749 §5.2)."""

import re

import pytest

from tallystick.errors import quoted


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://api.example.com/v1", "'https://api.example.com/v1'"),
        ("https://user:secret@api.example.com/?token=x", "'https://api.example.com/'"),
        ("https://api.example.com#code=x", "'https://api.example.com'"),
        ("a\"b\\c'd\r\n", "'a%22b%5Cc%27d%0D%0A'"),
        ("ü", "'%C3%BC'"),
        ("\ud800", "'%3F'"),
        ("x" * 101, f"'{'x' * 100}...'"),
    ],
)
def test_quoted_value_is_bounded_and_without_secrets(value: str, shown: str) -> None:
    assert quoted(value) == shown


def test_quoted_value_has_only_the_characters_of_a_description() -> None:
    """RFC 6749 §5.2."""
    everything = "".join(map(chr, range(0x250)))
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", quoted(everything.replace("?", "").replace("#", "")))
