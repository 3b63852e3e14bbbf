"""How URLs of issuers and APIs are compared, and how an error description quotes one."""

import re

import pytest

from tallystick.errors import quoted
from tallystick_service.urls import without_root_path


@pytest.mark.parametrize(
    ("url", "compared"),
    [
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com", "https://api.example.com"),
        ("http://localhost:8001/", "http://localhost:8001"),
        ("api://notes/", "api://notes"),
        ("https://api.example.com/v1/", "https://api.example.com/v1/"),
        ("https://api.example.com//", "https://api.example.com//"),
        ("https://api.example.com/?x", "https://api.example.com/?x"),
        ("https:///", "https:///"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_only_a_root_path_is_removed(url: str, compared: str) -> None:
    assert without_root_path(url) == compared


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
