"""base64url of RFC 7515 §2, with one spelling for each value."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick import base64url


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_decode_reverses_encode(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@settings(deadline=None)
@given(st.text(alphabet="AQgwBZaz09-_+/= \n", max_size=12))
def test_two_texts_never_decode_to_the_same_bytes(text: str) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize(
    "text", ["A", "AA=", "AA==", "AB", "AAB", "AA\n", " AAAA", "AA+A", "AA/A", "ÄAAA", "ＡAAA", "A.AA"]
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message may be the standard library's
        base64url.decode(text)
