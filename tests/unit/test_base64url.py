"""RFC 7515 §2, with one spelling for each value."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick import base64url


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_what_was_encoded_decodes(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@settings(deadline=None)
@given(st.text(alphabet="AQgwBZaz09-_+/= \n", max_size=12))
def test_no_two_texts_mean_the_same_bytes(text: str) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize(
    "text", ["A", "AA=", "AA==", "AB", "AAB", "AA\n", " AAAA", "AA+A", "AA/A", "ÄAAA", "ＡAAA", "A.AA"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the reason may be the standard library's
        base64url.decode(text)
