"""How URLs of issuers and APIs are compared."""

import pytest

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
