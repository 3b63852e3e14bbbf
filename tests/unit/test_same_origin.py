"""The Origin header shows whether a page of this service sent a form."""

import pytest
from starlette.requests import Request

from auth_service.http.same_origin import is_same_origin

ISSUER = "https://id.example.com"


def post(*origins: str) -> Request:
    headers = [(b"origin", origin.encode()) for origin in origins]
    return Request({"type": "http", "method": "POST", "headers": headers})


def test_the_origin_of_the_issuer_is_accepted() -> None:
    assert is_same_origin(post(ISSUER), ISSUER)


@pytest.mark.parametrize(
    "origins",
    [
        (),
        ("null",),
        ("",),
        (ISSUER, ISSUER),
        (ISSUER, "https://evil.example"),
        ("http://id.example.com",),
        ("https://id.example.com:8443",),
        ("https://id.example.com.evil.example",),
        ("https://id.example.com/",),
    ],
)
def test_every_other_origin_is_rejected(origins: tuple[str, ...]) -> None:
    assert not is_same_origin(post(*origins), ISSUER)


def test_the_default_port_is_not_part_of_an_origin() -> None:
    assert is_same_origin(post(ISSUER), "https://id.example.com:443")
    assert is_same_origin(post("http://[::1]:8000"), "http://[::1]:8000")
